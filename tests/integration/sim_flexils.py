#!/usr/bin/env python3
"""lightpath-sim flexils over real sockets: every command of the catalogue with success and with each error, states, circuits, light."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import flexsim  # noqa: E402

OEL = ("SRCNODENAME=lp.mil1,DSTNODENAME=lp.rom1,MODULATION=PM-NONE,RATE=NA,SPECTYPE=NA,CARDTYPE=UNKNOWN,"
       "FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,EXPLICITROUTE=lp.mil1&1-A-1-L1&lp.fir1&1-A-2-L1&-lp.fir1&1-A-1-L1&lp.rom1&1-A-2-L1")
OSNC = ("REMENDPOINT=1-A-5-T2-1,REMNODETID=lp.rom1,OELAID=mil-fir-rom,CKTIDSUFFIX=\"LP-42\",PASSBANDLIST=193450000&193550000,"
        "CARRIERLIST=193500000&100000")
OCRS = ("LABEL=\"dark 17\",CKTIDSUFFIX=\"LP-17\",FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,SCHOFFSET=0,PASSBANDLIST=193450000&193550000,"
        "CARRIERLIST=193500000&100000,AUTORETUNELMSCH=DISABLED,INTRACARRSPECSHAPING=ENABLED")
ENT_OEL = f"ENT-OEL:lp.mil1:mil-fir-rom:A1:::LABEL=\"mil-rom\",{OEL}:IS;"
ENT_OSNC = f"ENT-OSNC:lp.mil1:1-A-3-T1-1:A1:::LABEL=\"mil1_rom1\",{OSNC}:IS;"
ENT_OCRS = f"ENT-OCRS:lp.mil1:1-A-4-S1-1,1-A-3-T1-1:A1:::{OCRS};"
NOT_THERE = "INPUT, SPECIFIED OBJECT ENTITY DOES NOT EXIST"

# command, what it must be answered: "COMPLD", or the error code with a part of the text. {} is lp.mil1. Each begins on a fresh network
# after the commands of its first column.
CATALOGUE = [
    # 1.10.1 equipment
    ((), "RTRV-EQPT:{}:1-A-3:A1::::;", "COMPLD", r'1-A-3:FSM:SERNO=MA\d{10},LABEL=\\"\\":IS-NR'),
    ((), "RTRV-EQPT:{}::A1::FSM::;", "COMPLD", "1-A-3:FSM"),
    ((), "RTRV-EQPT:{}::A1:::PROVSTATUS=PROV:;", "COMPLD", "1:CHASSIS:SERNO=MA0123456789"),
    ((), "RTRV-EQPT:{}:1-Z-9:A1::::;", "IENE", NOT_THERE),
    ((), "RTRV-EQPT:{}:1-Z-9?:A1::::;", "IIAC", "1-Z-9"),
    ((), "RTRV-EQPT:{}::A1:::COLOUR=RED:;", "IPNV", "COLOUR"),
    ((), "RTRV-EQPT:{}::A1::A,B::;", "IPEX", "EXtra"),
    # 1.10.2 line ports
    ((), "RTRV-OTS:{}:1-A-1-L1:A1::::;", "COMPLD",
     r'1-A-1-L1:OTS:LABEL=\\"\\",PROVNBROTS=lp.fir1/1-A-2-L1,DISCNBROTS=lp.fir1/1-A-2-L1,HISTSTATS=ENABLED,SPANDIST=62.*:IS-NR'),
    ((), "RTRV-OTS:{}::A1::::;", "COMPLD", "1-A-2-L1:OTS"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::LABEL=\"a:b,c=d;\";", "COMPLD", None),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::EXPSPANLOSS=OVER25DB,SPANDIST=62.5;", "COMPLD", None),
    ((), "ED-OTS:{}:1-A-1-L9:A1:::LABEL=\"x\";", "IENE", NOT_THERE),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::NOSUCH=1;", "IPNV", "NOSUCH"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::DISCNBROTS=x;", "IPNV", "DISCNBROTS"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::EXPSPANLOSS=LOTS;", "IDNV", "EXPSPANLOSS"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::OLOSSOAKTIME=99999;", "IDRG", "OLOSSOAKTIME"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::LABEL=\"" + "x" * 129 + "\";", "IDRG", "LABEL"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::;", "IPMS", "MiSsing"),
    ((), "ED-OTS:{}:1-A-1-L1:A1::::OOS;", "IDNV", "OOS"),
    ((), "ED-OTS:{}::A1:::LABEL=\"x\";", "IIAC", "missing"),
    # 1.10.3 tributaries
    ((), "RTRV-SCG:{}::A1::FBM::;", "COMPLD",
     r'1-A-6-T1:SCG:LABEL=\\"\\",INTFTYP=MANUALMODE-2,PROVOWREMPTP=\\"MA0123456789/1-A-9-L1\\",HISTSTATS=ENABLED:IS-NR'),
    ((), "RTRV-SCG:{}:1-A-3-T1:A1::::;", "COMPLD", r"INTFTYP=INFWAVE,PROVOWREMPTP=,HISTSTATS=ENABLED:OOS-MA"),
    ((), "RTRV-SCG:{}::A1::OFX::;", "IENE", NOT_THERE),
    ((), "ED-SCG:{}:1-A-3-T1:A1::::IS;", "COMPLD", None),
    ((), "ED-SCG:{}:1-A-3-T1:A1:::INTFTYP=MANUALMODE-2:;", "COMPLD", None),
    (("ED-SCG:{}:1-A-3-T1:A0::::IS;",), "ED-SCG:{}:1-A-3-T1:A1:::INTFTYP=MANUALMODE-2;", "SNVS",
     "INTFTYP cannot be modified in this administrative state"),
    ((), "ED-SCG:{}:1-A-5-T1:A1:::INTFTYP=MANUALMODE-2;", "SNVS", "administrative state"),
    ((), "ED-SCG:{}:1-A-3-T1:A1:::INTFTYP=MANUALMODE-9;", "IDNV", "INTFTYP"),
    ((), "ED-SCG:{}:1-A-3-T1:A1::::MT;", "IDNV", "MT"),
    ((), "ED-SCG:{}:1-A-3-T9:A1::::IS;", "IENE", NOT_THERE),
    (("ED-SCG:{}:1-A-5-T1:A0::::IS;", "RMV-SCG:{}:1-A-5-T1:A0::;"), "ED-SCG:{}:1-A-5-T1:A1::::IS;", "SNVS", "use RST command"),
    (("ED-SCG:{}:1-A-5-T1:A0::::IS;", "RMV-SCG:{}:1-A-5-T1:A0::;"), "ED-SCG:{}:1-A-5-T1:A1::::OOS;", "SNVS", "use RST command"),
    (("ED-SCG:{}:1-A-5-T1:A0::::IS;", "RMV-SCG:{}:1-A-5-T1:A0::;"), "ED-SCG:{}:1-A-5-T1:A1:::INTFTYP=MANUALMODE-2;", "COMPLD", None),
    # 1.10.4 super-channels
    ((), "ENT-SCH:{}:1-A-6-T1-3:A1:::FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,PROVPBLIST=193400000&193450000:OOS;", "COMPLD", None),
    (("ENT-SCH:{}:1-A-6-T1-3:A0:::PROVPBLIST=193400000&193450000:OOS;",), "ENT-SCH:{}:1-A-6-T1-3:A1::::IS;", "IEAE", "already exists"),
    ((), "ENT-SCH:{}:1-A-6-T1-129:A1::::IS;", "IIAC", "1-A-6-T1-129"),
    ((), "ENT-SCH:{}:1-A-6-T7-1:A1::::IS;", "SROF", "Object {SCG}={1-A-6-T7} is not found"),
    ((), "ENT-SCH:{}:1-A-6-T1-3:A1:::PROVPBLIST=193400001&193450000:OOS;", "IDNV", "193400001"),
    ((), "ENT-SCH:{}:1-A-6-T1-3:A1:::PROVPBLIST=193450000&193400000:OOS;", "IDNC", "PROVPBLIST"),
    ((), "ENT-SCH:{}:1-A-6-T1-3:A1:::PROVPBLIST=1&2:OOS;", "IDRG", "PROVPBLIST"),
    (("ENT-SCH:{}:1-A-6-T1-3:A0::::IS;",), "RTRV-SCH:{}:1-A-6-T1-3:A1::::;", "COMPLD",
     r"1-A-6-T1-3:SCH:TPTYPE=TERMINATING,SHUTTERSTATE=CLOSED,DEMUXSHUTTERSTATE=OPEN,MUXPWRCONTROLLOOP=AUTOMATIC,TARGETOPR=-\d+\.\d\d,"),
    (("ENT-SCH:{}:1-A-6-T1-3:A0::::IS;",), "ED-SCH:{}:1-A-6-T1-3:A1:::SHUTTERSTATE=OPEN:;", "SNVS", "SHUTTERSTATE"),
    (("ENT-SCH:{}:1-A-6-T1-3:A0::::IS;", "RMV-SCH:{}:1-A-6-T1-3:A0::;"), "ED-SCH:{}:1-A-6-T1-3:A1:::SHUTTERSTATE=OPEN:;", "COMPLD", None),
    (("ENT-SCH:{}:1-A-6-T1-3:A0::::IS;",), "DLT-SCH:{}:1-A-6-T1-3:A1::::;", "COMPLD", None),
    ((), "DLT-SCH:{}:1-A-6-T1-3:A1::::;", "IENE", NOT_THERE),
    ((), "RTRV-SCH:{}::A1::::;", "IENE", NOT_THERE),
    (("ENT_OSNC",), "DLT-SCH:{}:1-A-3-T1-1:A1::::;", "SROF", "in use"),
    # 1.10.5 manual cross-connections
    ((), ENT_OCRS, "COMPLD", None),
    ((ENT_OCRS,), "RTRV-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1::::;", "COMPLD",
     r'1-A-4-S1-1,1-A-3-T1-1:2WAY:LABEL=\\"dark 17\\",SIGTYPE=MANUAL,XCT=AddDrop,CKTIDSUFFIX=.*PASSBANDLIST=193450000&193550000,'
     r'ACTIVEPASSBANDLIST=193450000&193550000,CARRIERLIST=193500000&100000,PATHSTATE=ACTIVEPATH.*:IS-NR'),
    ((ENT_OCRS,), ENT_OCRS, "IEAE", "already exists"),
    ((ENT_OCRS,), "RTRV-OCRS:{}::A1:::SIGTYPE=SIGNALED:;", "IENE", NOT_THERE),
    ((ENT_OCRS,), "RTRV-OCRS:{}:1-A-4-S1-1:A1::::;", "IIAC", "FROM,TO"),
    ((ENT_OCRS,), ENT_OCRS.replace("1-A-4-S1-1", "1-A-4-S2-1"), "SROF", "SCH 1-A-3-T1-1 is in use"),
    ((ENT_OCRS,), ENT_OCRS.replace("S1-1,1-A-3-T1-1", "S2-1,1-A-3-T1-2"), "SROF", "Spectrum conflict"),
    ((), ENT_OCRS.replace("FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,", ""), "IPMS", "FREQSLOTPLANTYPE"),
    ((), ENT_OCRS.replace("PASSBANDLIST=193450000&193550000,", ""), "IPMS", "PASSBANDLIST"),
    ((), ENT_OCRS.replace("193500000&100000", "193500000&150000"), "IDNC", "Carrier"),
    ((), ENT_OCRS.replace("1-A-4-S1-1", "1-A-4-S9-1"), "SROF", "Object {SCG}={1-A-4-S9} is not found"),
    ((), ENT_OCRS.replace("1-A-4-S1-1,", ""), "IIAC", "missing"),
    ((ENT_OCRS,), "ED-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1:::LABEL=\"dark 17 bis\";", "COMPLD", None),
    ((ENT_OCRS,), "ED-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1:::PASSBANDLIST=193400000&193550000;", "COMPLD", None),
    ((ENT_OCRS,), "ED-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1:::BAUDRATE=33G;", "IPNV", "BAUDRATE"),
    ((), "ED-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1:::LABEL=\"x\";", "IENE", NOT_THERE),
    ((ENT_OCRS,), "DLT-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1::;", "COMPLD", None),
    ((), "DLT-OCRS:{}:1-A-4-S1-1,1-A-3-T1-1:A1::;", "IENE", NOT_THERE),
    (("ENT_OSNC",), "RTRV-OCRS:{}::A1:::SIGTYPE=SIGNALED:;", "COMPLD",
     r"1-A-1-L1-1,1-A-3-T1-1:2WAY:.*SIGTYPE=SIGNALED,XCT=AddDrop.*INTERMEDIATESCHCTP=1-A-1-S1-1"),
    (("ENT_OSNC",), "DLT-OCRS:{}:1-A-1-L1-1,1-A-3-T1-1:A1::;", "SROF", "signaled"),
    (("ENT_OSNC",), "ED-OCRS:{}:1-A-1-L1-1,1-A-3-T1-1:A1:::LABEL=\"x\";", "SROF", "signaled"),
    # 1.10.6 circuits
    ((ENT_OEL,), ENT_OSNC, "COMPLD", None),
    (("ENT_OSNC",), "RTRV-OSNC:{}:1-A-3-T1-1:A1::::;", "COMPLD",
     r'1-A-3-T1-1::LABEL=\\"mil1_rom1\\",LOCENDPOINT=1-A-3-T1-1,REMENDPOINT=1-A-5-T2-1,REMNODETID=lp.rom1,OELAID=mil-fir-rom,RESTORABLE=NONE'),
    (("ENT_OSNC",), "RTRV-OSNC:{}::A1:::OELAID=mil-fir-rom:;", "COMPLD", "1-A-3-T1-1"),
    (("ENT_OSNC",), "RTRV-OSNC:{}::A1:::OELAID=other:;", "IENE", NOT_THERE),
    (("ENT_OSNC",), "RTRV-OSNC:lp.rom1::A1::::;", "IENE", NOT_THERE),  # at its source only
    ((), "RTRV-OSNC:{}::A1::::;", "IENE", NOT_THERE),
    (("ENT_OSNC",), ENT_OSNC, "IEAE", "already exists"),
    ((ENT_OEL,), ENT_OSNC.replace("REMENDPOINT=1-A-5-T2-1,", ""), "IPMS", "REMENDPOINT"),
    ((ENT_OEL,), ENT_OSNC.replace("REMNODETID=lp.rom1,", ""), "IPMS", "REMNODETID"),
    ((), ENT_OSNC, "SROF", "Object {OEL}={mil-fir-rom} is not found"),
    ((), ENT_OSNC.replace("OELAID=mil-fir-rom,", ""), "IPMS", "OELAID"),
    ((), ENT_OSNC.replace("OELAID=mil-fir-rom,", "ROUTETYPE=DYNAMIC,"), "COMPLD", None),
    ((ENT_OEL,), ENT_OSNC.replace("lp.rom1", "lp.nowhere"), "SROF", "Object {NODE}={lp.nowhere} is not found"),
    ((ENT_OEL,), ENT_OSNC.replace("lp.rom1", "lp.bol1"), "SROF", "does not end at lp.bol1"),
    ((ENT_OEL,), ENT_OSNC.replace("1-A-5-T2-1", "1-A-5-T9-1"), "SROF", "Object {SCG}={1-A-5-T9} is not found"),
    ((ENT_OEL,), ENT_OSNC.replace("RESTORABLE=NONE,", "").replace("CKTID", "RESTORABLE=ENDTOEND,CKTID"), "EFON", "licence"),
    (("ENT_OSNC",), ENT_OSNC.replace("1-A-3-T1-1", "1-A-3-T2-1").replace("1-A-5-T2-1", "1-A-5-T3-1"), "SROF", "Spectrum conflict on TE link"),
    (("ENT_OSNC",), ENT_OSNC.replace("1-A-3-T1-1", "1-A-3-T1-2").replace("1-A-5-T2-1", "1-A-5-T3-1"), "SROF", "Spectrum conflict with SCH"),
    (("ENT_OSNC",), ENT_OSNC.replace("1-A-3-T1-1", "1-A-3-T2-1"), "SROF", "SCH 1-A-5-T2-1 is in use"),
    (("ENT_OSNC",), "ED-OSNC:{}:1-A-3-T1-1:A1:::PASSBANDLIST=193400000&193500000:OOS;", "SROF",
     "PassbandList cannot be updated when Admin state is not locked"),
    (("ENT_OSNC",), "ED-OSNC:{}:1-A-3-T1-1:A1:::OELAID=other;", "SROF", "OELAid cannot be updated when Admin state is not locked"),
    (("ENT_OSNC",), "ED-OSNC:{}:1-A-3-T1-1:A1:::REMNODETID=lp.bol1;", "IPNV", "REMNODETID"),
    (("ENT_OSNC",), "ED-OSNC:{}:1-A-3-T1-1:A1::::OOS;", "COMPLD", None),
    (("ENT_OSNC", "ED-OSNC:{}:1-A-3-T1-1:A0::::OOS;"),
     "ED-OSNC:{}:1-A-3-T1-1:A1:::PASSBANDLIST=193400000&193500000,CARRIERLIST=193450000&100000:IS;", "COMPLD", None),
    (("ENT_OSNC",), "ED-OSNC:{}:1-A-3-T1-1:A1:::LABEL=\"other\",CKTIDSUFFIX=\"LP-43\":IS;", "COMPLD", None),
    (("ENT_OSNC",), "DLT-OSNC:{}:1-A-3-T1-1:A1::::;", "SROF", "OSNC is not Locked"),
    (("ENT_OSNC", "ED-OSNC:{}:1-A-3-T1-1:A0::::OOS;"), "DLT-OSNC:{}:1-A-3-T1-1:A1::::;", "COMPLD", None),
    ((), "DLT-OSNC:{}:1-A-3-T1-1:A1::::;", "IENE", NOT_THERE),
    # 1.10.7 engineered paths
    ((), ENT_OEL, "COMPLD", None),
    ((ENT_OEL,), ENT_OEL, "IEAE", "OEL mil-fir-rom already exists"),
    ((), ENT_OEL.replace("RATE=NA,", ""), "IPMS", "RATE"),
    ((), ENT_OEL.replace("SRCNODENAME=lp.mil1", "SRCNODENAME=lp.fir1"), "SROF", "SRCNODENAME"),
    ((), ENT_OEL.replace("DSTNODENAME=lp.rom1", "DSTNODENAME=lp.bol1"), "SROF", "does not lead"),
    ((), ENT_OEL.replace("lp.fir1&1-A-2-L1&-", "lp.fir1&1-A-1-L1&-"), "SROF", "No TE link"),
    ((), ENT_OEL.replace("lp.fir1&1-A-2-L1&-", "lp.fir1&1-A-9-L1&-"), "SROF", "is not found"),
    ((), ENT_OEL.replace("lp.fir1&1-A-1-L1&lp.rom1&1-A-2-L1", "lp.rom1&1-A-1-L1&lp.bol1&1-A-2-L1").replace("lp.rom1,M", "lp.bol1,M"),
     "SROF", "not continuous"),
    ((), ENT_OEL.replace("mil-fir-rom", "m" * 128), "IIAC", "mmm"),
    ((ENT_OEL,), "RTRV-OEL:{}:mil-fir-rom:A1::::;", "COMPLD", r'mil-fir-rom:OEL:LABEL=\\"mil-rom\\",SRCNODENAME=lp.mil1'),
    ((), "RTRV-OEL:{}:mil-fir-rom:A1::::;", "IENE", NOT_THERE),
    ((ENT_OEL,), "ED-OEL:{}:mil-fir-rom:A1:::LABEL=\"x\":OOS;", "COMPLD", None),
    ((ENT_OEL,), "ED-OEL:{}:mil-fir-rom:A1:::EXPLICITROUTE=a&b&c&d;", "IPNV", "EXPLICITROUTE"),
    ((ENT_OEL,), "OPR-VALROUTE-OEL:{}:mil-fir-rom:A1::::;", "COMPLD", None),
    ((), "OPR-VALROUTE-OEL:{}:mil-fir-rom:A1::::;", "IENE", NOT_THERE),
    ((ENT_OEL,), "DLT-OEL:{}:mil-fir-rom:A1::::;", "SROF", "OEL is not Locked"),
    (("ENT_OSNC", "ED-OEL:{}:mil-fir-rom:A0::::OOS;"), "DLT-OEL:{}:mil-fir-rom:A1::::;", "SROF", "in use by OSNC 1-A-3-T1-1"),
    ((ENT_OEL, "ED-OEL:{}:mil-fir-rom:A0::::OOS;"), "DLT-OEL:{}:mil-fir-rom:A1::::;", "COMPLD", None),
    # 1.10.8 topology
    ((), "RTRV-OTEINTF:{}::A1::::;", "COMPLD", "1-A-1-O1:OSC:ASSOCGCC=:IS-NR"),
    ((), "RTRV-OTEINTF:lp.rom1:1-A-2-L1:A1::::;", "COMPLD", "1-A-2-L1:OTS:ASSOCGCC=1-A-2-O1:IS-NR"),
    ((), "RTRV-OTELINK:{}::A1::::;", "COMPLD",
     "lp.mil1-1-A-1-L1::MATETELINK=lp.fir1-1-A-2-L1,REACHSCOPE=Local,AVAILFREQRANGELIST=191325000&196125000:IS-NR"),
    (("ENT_OSNC",), "RTRV-OTELINK:lp.fir1::A1::::;", "COMPLD",
     "lp.fir1-1-A-1-L1::MATETELINK=lp.rom1-1-A-2-L1,REACHSCOPE=Local,AVAILFREQRANGELIST=191325000&193450000&-193550000&196125000"),
    ((), "RTRV-OTELINK:lp.ola1::A1::::;", "IENE", NOT_THERE),
    ((), "RTRV-TOPONODE:{}::A1::::;", "COMPLD", r"lp.bol1::NENAME=lp.bol1,ROUTERID=10\.255\.0\.1"),
    ((), "RTRV-TEINTF:{}::A1::::;", "IENE", NOT_THERE),
    ((), "RTRV-TELINK:{}::A1::::;", "IENE", NOT_THERE),
    ((), "RTRV-CTRLLINK:{}::A1;", "COMPLD", r"lp.mil1-1-A-1-O1::ROUTERID=10\.255\.\d+\.\d+,RMTROUTERID=.*COST=10,REACHSCOPE=Local"),
    ((), "RTRV-TIDMAP:{}::A1;", "COMPLD", r"::TID=lp.bol1,ROUTERID="),
    ((), "RTRV-SYS:{}::A1;", "COMPLD", "lp.mil1::NETYPE=ROADM,SWVERSION=19.2.1.0:"),
    ((), "RTRV-SYS:lp.ola1::A1;", "COMPLD", "NETYPE=OLA"),
    ((), "RTRV-HDR:{}::A1;", "COMPLD", None),
    # 1.10.9 maintenance
    ((), "RMV-OTS:{}:1-A-1-L1:A1::;", "COMPLD", None),
    (("RMV-OTS:{}:1-A-1-L1:A0::;",), "RMV-OTS:{}:1-A-1-L1:A1::;", "SAMS", "Maintenance"),
    (("RMV-OTS:{}:1-A-1-L1:A0::;",), "RTRV-OTS:{}:1-A-1-L1:A1::::;", "COMPLD", ":OOS-MA,MT"),
    (("RMV-OTS:{}:1-A-1-L1:A0::;",), "RST-OTS:{}:1-A-1-L1:A1::::;", "COMPLD", None),
    ((), "RST-OTS:{}:1-A-1-L1:A1::::;", "SAIS", "In Service"),
    ((), "RMV-SCG:{}:1-A-5-T1:A1::;", "SNVS", "not in service"),
    ((), "RST-SCG:{}:1-A-5-T1:A1::::;", "SNVS", "not in maintenance"),
    (("ED-SCG:{}:1-A-3-T1:A0::::IS;",), "RMV-SCG:{}:1-A-3-T1:A1::;", "SNVS", "not supported"),
    (("ED-SCG:{}:1-A-5-T1:A0::::IS;",), "RMV-SCG:{}:1-A-5-T1:A1::FRCD;", "COMPLD", None),
    (("ED-SCG:{}:1-A-5-T1:A0::::IS;",), "RMV-SCG:{}:1-A-5-T1:A1::GENTLY;", "IDNV", "GENTLY"),
    ((), "RMV-SCG:{}:1-A-5-T9:A1::;", "IENE", NOT_THERE),
    ((), "RMV-OTUC4I:{}:1-A-5-T1:A1::;", "IENE", NOT_THERE),
    ((), "RST-100GBE:{}:1-A-5-T1:A1::::;", "IENE", NOT_THERE),
    ((), "RMV-NOSUCH:{}:1-A-5-T1:A1::;", "IICM", "CoMmand"),
    (("ENT_OSNC",), "RMV-OSNC:{}:1-A-3-T1-1:A1::;", "SNVS", "not supported"),
    # 1.10.10 alarms
    ((), "RTRV-ALM-ALL:{}::A1::,,,,;", "COMPLD", None),
    ((), "RTRV-COND-ALL:{}::A1::,,,,;", "COMPLD", None),
    ((), "RTRV-ALM-OTS:{}:1-A-1-L1:A1::CR,,,,;", "COMPLD", None),
    ((), "RTRV-ALM-ALL:{}::A1::,,,,,,,;", "IPEX", "EXtra"),
    # 1.10.11 software
    ((), "RTRV-RFILE:{}::A1:::TYPE=SW:;", "COMPLD", "SW::FILE=IQNOS_19.2.1.0,USAGE=Current"),
    ((), "RTRV-RFILE:{}::A1:::TYPE=DB:;", "IENE", NOT_THERE),
    ((), "RTRV-RFILE:{}::A1:::SHAPE=DB:;", "IPNV", "SHAPE"),
    ((), "COPY-RFILE:{}::A1:::TYPE=swdl,SRC=\"ftp://u:p@h/IQNOS_20.1.0\":;", "COMPLD", None),
    ((), "COPY-RFILE:{}::A1:::TYPE=swdl:;", "IPMS", "SRC"),
    ((), "COPY-RFILE:{}::A1:::TYPE=odd:;", "IDNV", "TYPE"),
    (("COPY-RFILE:{}::A0:::TYPE=swdl,SRC=\"ftp://h/IQNOS_20.1.0\":;",), "APPLY:{}::A1:::FILENAME=IQNOS_20.1.0,OPERTYPE=prepare:;", "COMPLD", None),
    ((), "APPLY:{}::A1:::FILENAME=IQNOS_99,OPERTYPE=install:;", "SROF", "{APPLY} failed. {IQNOS_99} does not exist."),
    ((), "APPLY:{}::A1:::FILENAME=IQNOS_99:;", "IPMS", "OPERTYPE"),
    ((), "DLT-RFILE:{}::A1:::TYPE=SW,FILE=IQNOS_19.0.4.0:;", "COMPLD", None),
    ((), "DLT-RFILE:{}::A1:::TYPE=SW,FILE=IQNOS_19.2.1.0:;", "SROF", "in use"),
    ((), "DLT-RFILE:{}::A1:::TYPE=SW,FILE=NOSUCH:;", "IENE", NOT_THERE),
    ((), "RTRV-FXFR:{}::A1;", "COMPLD", "SwDownloadXfr"),
    ((), "ED-FXFR:{}:BackupXfr:A1:::SRC=\"sftp://h/x\";", "COMPLD", None),
    ((), "ED-FXFR:{}:OtherXfr:A1:::SRC=\"sftp://h/x\";", "IENE", NOT_THERE),
    # 1.10.12 performance
    (("ENT_OSNC",), "RTRV-PM-SCH:{}:1-A-3-T1-1:A1::OPR,1-UP,NEND,RCV,15-MIN,,;", "COMPLD",
     r"1-A-3-T1-1,SCH:OPR,-\d+\.\d\d,CMPL,NEND,RCV,15-MIN,,"),
    (("ENT_OSNC",), "RTRV-PM-SCH:{}:1-A-3-T1-1:A1::OPR,,,,,,::;", "COMPLD", "SCH:OPR,-"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::UAS,,,,1-DAY,,;", "COMPLD", "1-A-1-L1,OTS:UAS,0,PRTL,NEND,RCV,1-DAY,,"),
    ((), "RTRV-PM-SCG:{}:1-A-3-T1:A1::,,,,,,;", "COMPLD", "SCG:OPR,"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::NOSUCH,,,,,,;", "IDNV", "montype"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::OPR,,,SIDEWAYS,,,;", "IDNV", "dirn"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::OPR,1-UP,NEND,RCV,15-MIN,99,;", "IDNV", "mondat"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::OPR,,FEND,,,,;", "SDNR", "Ready"),
    ((), "RTRV-PM-OTS:{}:1-A-1-L9:A1::OPR,,,,,,;", "IENE", NOT_THERE),
    ((), "RTRV-PM-OTS:{}:1-A-1-L1:A1::a,b,c,d,e,f,g,h;", "IPEX", "EXtra"),
    # 1.10.13 session, and what every command shares
    ((), "RTRV-DFLT-SECU:{}::A1;", "COMPLD", "MAXSESS=30,MXINV=3,DURAL=60"),
    ((), "INH-MSG-ALL:{}::A1::;", "COMPLD", None),
    ((), "ALW-MSG-ALL:{}::A1::;", "COMPLD", None),
    ((), "INH-DBREPT-ALL:{}::A1;", "COMPLD", None),
    ((), "ALW-DBREPT-ALL:{}::A1;", "COMPLD", None),
    ((), "ED-USER-SECU:{}:svc_orch:A1::,,:TMOUT=5;", "COMPLD", None),
    ((), "ED-USER-SECU:{}:other:A1::,,:TMOUT=5;", "PICC", "other user"),
    ((), "ED-PID:{}:svc_orch:A1::wrong,new;", "PIUI", "Identity"),
    ((), "ED-PID:{}:svc_orch:A1::s3cr3t,n3w;", "COMPLD", None),
    ((), "ACT-USER:{}:svc_orch:A1::s3cr3t;", "SAAL", "ALREADY"),
    ((), "CANC-USER:{}:other:A1;", "PIUI", "Identity"),
    ((), "CANC-USER:{}:svc_orch:A1;", "COMPLD", None),
    (("CANC-USER:{}:svc_orch:A0;",), "RTRV-SYS:{}::A1;", "PLNA", "PRIVILEGE, LOGIN NOT ACTIVE"),
    ((), "RTRV-SYS:lp.xxx9::A1;", "IITA", "Invalid TArget"),
    ((), "RTRV-OTS:{};", "IBMS", ""),
    ((), "RTRV-OTS:{}::A1:::;", "IBMS", "Block MiSsing"),
    ((), "RTRV-OTS:{}::A1:::::;", "IBEX", "Block EXtra"),
    ((), "RTRV-NOSUCH:{}::A1::::;", "IICM", "CoMmand"),
    ((), "RTRV-OTS:{}::TOOLONG::::;", "IICT", ""),
    ((), "RTRV-OTS:{}:A,B:A1::::;", "IIAC", "too many"),
    ((), "ED-OTS:{}:1-A-1-L1:A1:::LABEL=a,LABEL=b;", "IPNC", ""),
    ((), "ED-OTS:{}:1-A-1-L1:A1:02-03,::LABEL=a;", "ICNV", "general"),
    ((), "rtrv-sys:{}::A1;", "COMPLD", "NETYPE"),
]


class Catalogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = flexsim.Sim()

    @classmethod
    def tearDownClass(cls):
        cls.sim.close()

    def test_every_command_and_error(self):
        before = [ENT_OEL, ENT_OSNC]
        fresh = self.sim.hash()
        for first, command, word, pattern in CATALOGUE:
            with self.subTest(command=command[:120]):
                self.sim.control(op="reset", sessions=True)
                self.assertEqual(self.sim.hash(), fresh)
                self.sim.process.poll()
                ne = self.sim.login("lp.mil1")
                for tid in ("lp.rom1", "lp.fir1", "lp.ola1"):
                    if f":{tid}:" in command:
                        ne.run(f"ACT-USER:{tid}:svc_orch:B1::s3cr3t;")
                for text in [one for name in first for one in (before if name == "ENT_OSNC" else [name])]:
                    answer = ne.run(text.replace("{}", "lp.mil1", 1))
                    self.assertEqual(answer.word, "COMPLD", (text, answer))
                reference = self.sim.hash()
                answer = ne.run(command.replace("{}", "lp.mil1", 1))
                ne.close()
                self.assertEqual(word, answer.code if answer.word == "DENY" else answer.word, answer)
                if answer.word == "DENY":
                    self.assertIn(pattern, answer.text)
                    self.assertEqual(self.sim.hash(), reference, "a denied command changed something")
                elif pattern is not None:
                    self.assertTrue(any(re.search(pattern, record) for record in answer.records), (pattern, answer.records))
                if command.startswith("ED-PID") and answer.word == "COMPLD":
                    ne = self.sim.login("lp.mil1", password="n3w")
                    self.assertEqual(ne.run("ED-PID:lp.mil1:svc_orch:A1::n3w,s3cr3t;").word, "COMPLD")

    def test_table_is_complete(self):
        """Every row of the table of commands stands in the list above."""
        with open(os.path.join(flexsim.ROOT, "sim", "flexils", "commands.c")) as text:
            source = text.read()
        rows = set(re.findall(r'^ {4}\{"([A-Z0-9-]+)",', source, re.M))
        tried = {command.split(":")[0].upper() for _, command, _, _ in CATALOGUE}
        tried |= {command.split(":")[0] for first, _, _, _ in CATALOGUE for command in first}
        self.assertGreater(len(rows), 50)
        missing = {row for row in rows - tried if not row.endswith("-")} - {"RTRV-ALM-" + c for c in ("EQPT", "SCG", "SCH", "OSNC", "OCRS", "OEL")}
        self.assertEqual(missing, set())


class Life(unittest.TestCase):
    def sim(self, **more):
        sim = flexsim.Sim(**more)
        self.addCleanup(sim.close)
        return sim

    def good(self, ne, text):
        answer = ne.run(text)
        self.assertEqual(answer.word, "COMPLD", (text, answer))
        return answer

    def test_circuit_from_end_to_end(self):
        """The whole life of a circuit: both ends, spectrum on every link, light, relabelling, retuning, deletion."""
        sim = self.sim(options={"settle_ms": 600000, "idle_ms": 86400000})
        start = sim.hash()
        mil = sim.login("lp.mil1")
        for tid in ("lp.rom1", "lp.fir1"):
            self.good(mil, f"ACT-USER:{tid}:svc_orch:B1::s3cr3t;")
        for command in ("ED-SCG:lp.mil1:1-A-3-T1:A1:::INTFTYP=MANUALMODE-2,PROVOWREMPTP=\"RO1/1-2-1\",LABEL=\"g30\";",
                        "ED-SCG:lp.mil1:1-A-3-T1:A2::::IS;", "ED-SCG:lp.rom1:1-A-5-T2:A3::::IS;", "RMV-SCG:lp.rom1:1-A-5-T2:A4::;",
                        "ED-SCG:lp.rom1:1-A-5-T2:A5:::INTFTYP=MANUALMODE-2;", "RST-SCG:lp.rom1:1-A-5-T2:A6::::;"):
            self.good(mil, command)
        ports = sim.hash()
        self.assertEqual(self.good(mil, ENT_OEL).acks, [])
        self.assertEqual(self.good(mil, "OPR-VALROUTE-OEL:lp.mil1:mil-fir-rom:A7::::;").acks, ["IP"])
        self.assertEqual(self.good(mil, ENT_OSNC).acks, ["IP"])
        self.assertEqual(mil.run("RTRV-SCH:lp.rom1:1-A-5-T2-1:A8::::;").code, "IENE")  # not there yet
        self.good(mil, "RTRV-SCH:lp.mil1:1-A-3-T1-1:A8::::;")
        self.settled(sim)
        self.good(mil, "RTRV-SCH:lp.rom1:1-A-5-T2-1:A8::::;")
        express = self.good(mil, "RTRV-OCRS:lp.fir1::A9:::SIGTYPE=SIGNALED:;")
        self.assertTrue(express.records[0].startswith("1-A-2-L1-1,1-A-1-L1-1:2WAY:"), express)
        dark = sim.control(op="power", ne="lp.rom1", **{"class": "SCH"}, aid="1-A-5-T2-1")
        self.assertLess(dark["out_cdbm"], -5000)
        for tid, aid in (("lp.mil1", "1-A-3-T1-1"), ("lp.rom1", "1-A-5-T2-1")):
            for command in ("RMV-SCH:{}:{}:C1::;", "ED-SCH:{}:{}:C2:::SHUTTERSTATE=OPEN:;", "RST-SCH:{}:{}:C3::::;"):
                self.good(mil, command.format(tid, aid))
        light = sim.control(op="power", ne="lp.rom1", **{"class": "SCH"}, aid="1-A-5-T2-1")
        self.assertGreater(light["out_cdbm"], -1000)
        sim.control(op="light", ne="lp.mil1", **{"class": "SCG"}, aid="1-A-3-T1", cdbm=-6000)  # the transponder is off
        self.assertLess(sim.control(op="power", ne="lp.rom1", **{"class": "SCH"}, aid="1-A-5-T2-1")["out_cdbm"], -5000)
        sim.control(op="light", ne="lp.mil1", **{"class": "SCG"}, aid="1-A-3-T1")
        target = float(self.good(mil, "RTRV-SCH:lp.mil1:1-A-3-T1-1:D1::::;").get("TARGETOPR"))
        opr = float(self.good(mil, "RTRV-PM-SCH:lp.mil1:1-A-3-T1-1:D2::OPR,1-UP,NEND,RCV,15-MIN,,;").records[0].split(",")[2])
        self.assertLess(abs(target - opr), 0.2)
        self.retuned(sim, mil)
        self.good(mil, "ED-OSNC:lp.mil1:1-A-3-T1-1:F1::::OOS;")
        self.assertEqual(self.good(mil, "DLT-OSNC:lp.mil1:1-A-3-T1-1:F2::::;").acks, ["IP"])
        self.assertEqual(mil.run("RTRV-SCH:lp.mil1:1-A-3-T1-1:F3::::;").code, "IENE")
        self.settled(sim)
        self.assertEqual(mil.run("RTRV-SCH:lp.rom1::F4::::;").code, "IENE")
        self.good(mil, "ED-OEL:lp.mil1:mil-fir-rom:F5::::OOS;")
        self.good(mil, "DLT-OEL:lp.mil1:mil-fir-rom:F6::::;")
        self.assertEqual(sim.hash(), ports)
        sim.control(op="reset")
        self.assertEqual(sim.hash(), start)

    def settled(self, sim):
        sim.control(op="clock", advance_ms=700000)

    def retuned(self, sim, mil):
        self.good(mil, "ED-OSNC:lp.mil1:1-A-3-T1-1:E1:::LABEL=\"a+b\":IS;")
        self.assertEqual(self.good(mil, "RTRV-OCRS:lp.fir1::E2:::SIGTYPE=SIGNALED:;").get("LABEL"), "a+b")
        self.good(mil, "ED-OSNC:lp.mil1:1-A-3-T1-1:E3::::OOS;")
        self.settled(sim)
        free = self.good(mil, "RTRV-OTELINK:lp.mil1:lp.mil1-1-A-1-L1:E4::::;")
        self.assertEqual(free.get("AVAILFREQRANGELIST"), "191325000&196125000")
        self.good(mil, "ED-OSNC:lp.mil1:1-A-3-T1-1:E5:::PASSBANDLIST=194000000&194075000,CARRIERLIST=194037500&75000:IS;")
        self.settled(sim)
        free = self.good(mil, "RTRV-OTELINK:lp.mil1:lp.mil1-1-A-1-L1:E6::::;")
        self.assertEqual(free.get("AVAILFREQRANGELIST"), "191325000&194000000&-194075000&196125000")
        sch = self.good(mil, "RTRV-SCH:lp.rom1:1-A-5-T2-1:E7::::;")
        self.assertEqual((sch.get("SHUTTERSTATE"), sch.get("PROVPBLIST")), ("CLOSED", "194000000&194075000"))

    def test_trace_of_a_service(self):
        """The commands of a whole service between two cities, word for word, in their order, with what each must bring."""
        with open(os.path.join(os.path.dirname(flexsim.RING), "pair.json")) as text:
            sim = self.sim(topology=json.load(text), options={"settle_ms": 600000, "idle_ms": 86400000})
        rm, bo = sim.login("flex.rm01"), sim.login("flex.bo01")
        at = {"flex.rm01": rm, "flex.bo01": bo}
        for ne, name in ((rm, "flex.rm01"), (bo, "flex.bo01")):
            self.assertIn("1-A-1-O1:OSC:ASSOCGCC=:IS-NR", self.good(ne, f"RTRV-OTEINTF:{name}::TAG001::::;").records)
        route = "flex.rm01&1-A-1-L1&flex.bo01&1-A-1-L1"
        self.good(rm, "ENT-OEL:flex.rm01:rm01-cb00-bo01:TAG001:::LABEL=rm01-bo01,SRCNODENAME=flex.rm01,DSTNODENAME=flex.bo01,MODULATION=PM-NONE,"
                  "ENCODMOD=None,RATE=NA,SPECTYPE=NA,CARDTYPE=UNKNOWN,FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,COMPCARDTYPELIST=UNKNOWN,"
                  "VALIDFRANGELIST=191325000&196125000,SRCPOWEROFFSET=0,DSTPOWEROFFSET=0,EXPLICITROUTE=" + route
                  + ",OELSOURCE=MANUAL,GAURDBAND=0,NUMFECITRNS=4:IS;")
        self.good(rm, "OPR-VALROUTE-OEL:flex.rm01:rm01-cb00-bo01:TAG001::::;")
        self.assertEqual(self.good(rm, "RTRV-OEL:flex.rm01:rm01-cb00-bo01:TAG001::::;").get("EXPLICITROUTE"), route)
        for name, port in (("flex.rm01", "1-E1-1-T1A"), ("flex.bo01", "1-E1-1-T2A")):
            ne = at[name]
            self.assertEqual(self.good(ne, f"RTRV-SCG:{name}:{port}:TAG001::::;").get("INTFTYP"), "INFWAVE")
            self.assertIn("1-E1-1:FSM:", self.good(ne, f"RTRV-EQPT:{name}:1-E1-1:TAG001::::;").records[0])
            self.good(ne, f"ED-SCG:{name}:{port}:TAG001::::OOS;")
            self.good(ne, f"ED-SCG:{name}:{port}:TAG001:::INTFTYP=MANUALMODE-2:;")
            self.good(ne, f"ED-SCG:{name}:{port}:TAG001::::IS;")
            self.good(ne, f"ED-SCG:{name}:{port}:TAG001:::LABEL=\"d\",PROVOWREMPTP=SN/1-2-1:;")
            self.assertEqual(self.good(ne, f"RTRV-SCG:{name}:{port}:TAG001::::;").state(), "IS-NR")
        self.assertEqual(rm.run("RTRV-OSNC:flex.rm01::TAG001::::;").code, "IENE")
        self.assertEqual(bo.run("RTRV-SCH:flex.bo01:1-E1-1-T2A-1:TAG001::::;").code, "IENE")
        self.assertEqual(rm.run("RTRV-SCH:flex.rm01:1-E1-1-T1A-1:TAG001::::;").code, "IENE")
        self.good(rm, "ENT-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001:::LABEL=f007c01,REMENDPOINT=1-E1-1-T2A-1,REMNODETID=flex.bo01,OELAID=rm01-cb00-bo01,"
                  "RESTORABLE=NONE,CKTIDSUFFIX=OCh042_rm01-bo01,PREPROV=TRUE,PASSBANDLIST=193462500&193537500,CARRIERLIST=193500000&75000,"
                  "AUTORETUNELMSCH=DISABLED,SRCRXSCHOFFSET=0,DSTRXSCHOFFSET=0,FAULTSOAKTIMER=5,BAUDRATE=NA,MODULATION=PM-NONE,"
                  "FREQSLOTPLANTYPE=FREQ-SLOT-PLAN-NONE,SRCSCHPOWEROFFSET=0,DSTSCHPOWEROFFSET=0,ROUTETYPE=OEL,INTRACARRSPECSHAPING=ENABLED,"
                  "DIGITRIGGER=FALSE,RESTORATIONTRIGGER=OPTICALSF:IS;")
        circuit = self.good(rm, "RTRV-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001::::;")
        self.assertEqual((circuit.get("CKTIDSUFFIX"), circuit.state()), ("OCh042_rm01-bo01", "IS-NR"))
        self.settled(sim)  # where an operator waits five seconds
        for name, aid in (("flex.rm01", circuit.get("LOCENDPOINT")), ("flex.bo01", circuit.get("REMENDPOINT"))):
            self.good(at[name], f"RMV-SCH:{name}:{aid}:TAG001::;")
            self.good(at[name], f"ED-SCH:{name}:{aid}:TAG001:::SHUTTERSTATE=OPEN:;")
            self.good(at[name], f"RST-SCH:{name}:{aid}:TAG001::::;")
        for name in at:
            link = self.good(at[name], f"RTRV-OTELINK:{name}::TAG001::::;")
            self.assertEqual((link.get("REACHSCOPE"), link.get("AVAILFREQRANGELIST")),
                             ("Local", "191325000&193462500&-193537500&196125000"))
        for name, aid in (("flex.rm01", "1-E1-1-T1A-1"), ("flex.bo01", "1-E1-1-T2A-1")):
            cross = self.good(at[name], f"RTRV-OCRS:{name}::TAG001:::SIGTYPE=SIGNALED:;")
            self.assertEqual((cross.get("CKTIDSUFFIX"), cross.get("LABEL")), ("OCh042_rm01-bo01", "f007c01"))
            target = float(self.good(at[name], f"RTRV-SCH:{name}:{aid}:TAG001::::;").get("TARGETOPR"))
            reading = self.good(at[name], f"RTRV-PM-SCH:{name}:{aid}:TAG001::OPR::;").records[0]
            self.assertLess(abs(float(reading.split(",")[2]) - target), 1.5)
        self.good(rm, "ED-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001:::LABEL=f007c01+f007c02;")  # a second service on the channel
        self.good(rm, "ED-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001:::LABEL=f007c02;")
        self.good(rm, "ED-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001::::OOS;")
        self.good(rm, "DLT-OSNC:flex.rm01:1-E1-1-T1A-1:TAG001::::;")
        self.settled(sim)
        for name in at:
            self.assertEqual(self.good(at[name], f"RTRV-OTELINK:{name}::TAG001::::;").get("AVAILFREQRANGELIST"), "191325000&196125000")

    def test_cut_fiber(self):
        """A cut is dark at both ends, raises alarms, takes the circuit out of service, counts seconds; a repair undoes it."""
        sim = self.sim(setup=[ENT_OEL, ENT_OSNC])
        ne = sim.login("lp.mil1", messages=True)
        sim.control(op="cut", span="fir-ola1")
        ne.autonomous(r"\*\* \d+ REPT ALM OSNC")
        self.assertEqual(self.good(ne, "RTRV-OSNC:lp.mil1::A1::::;").state(), "OOS-AU")
        self.assertEqual(self.good(ne, "RTRV-OEL:lp.mil1::A2::::;").state(), "OOS-AU")
        self.assertEqual(self.good(ne, "RTRV-SCH:lp.mil1:1-A-3-T1-1:A3::::;").state(), "OOS-AU")
        self.assertEqual(ne.run("OPR-VALROUTE-OEL:lp.mil1:mil-fir-rom:A4::::;").code, "SROF")
        fir = sim.login("lp.fir1")
        ots = self.good(fir, "RTRV-OTS:lp.fir1:1-A-1-L1:A5::::;")
        self.assertEqual((ots.state(), ots.get("DISCNBROTS"), ots.get("PROVNBROTS")), ("OOS-AU", "", "lp.ola1/1-A-1-L1"))
        alarm = self.good(fir, "RTRV-ALM-ALL:lp.fir1::A6::,,,,;").records
        self.assertRegex(alarm[0], r'^1-A-1-L1,OTS:CR,OLOS,SA,\d\d-\d\d,\d\d-\d\d-\d\d,NEND,RCV:\\"Optical Loss of Signal\\"$')
        self.assertEqual(self.good(fir, "RTRV-ALM-ALL:lp.fir1::A7::MJ,,,,;").records, [])
        self.assertIn(",-60.00,", self.good(fir, "RTRV-PM-OTS:lp.fir1:1-A-1-L1:A8::OPR,,,,,,;").records[0])
        sim.control(op="clock", advance_ms=42000)
        seconds = int(self.good(fir, "RTRV-PM-OTS:lp.fir1:1-A-1-L1:A9::UAS,,,,1-DAY,,;").records[0].split(",")[2])
        self.assertGreaterEqual(seconds, 1)  # midnight may have come in between
        sim.control(op="repair", span="fir-ola1")
        ne.autonomous(r"A  \d+ REPT ALM OSNC")
        self.assertEqual(self.good(ne, "RTRV-OSNC:lp.mil1::B1::::;").state(), "IS-NR")
        self.assertEqual(self.good(fir, "RTRV-ALM-ALL:lp.fir1::B2::,,,,;").records, [])

    def test_drift_and_alarms_are_planted(self):
        sim = self.sim()
        ne = sim.login("lp.mil1", messages=True)
        before = sim.hash(ne="lp.mil1")
        sim.control(op="set", ne="lp.mil1", **{"class": "OTS"}, aid="1-A-1-L1", attrs={"LABEL": "moved"}, state="MT")
        ne.autonomous(r"A  \d+ REPT DBCHG")
        ots = self.good(ne, "RTRV-OTS:lp.mil1:1-A-1-L1:A1::::;")
        self.assertEqual((ots.get("LABEL"), ots.state()), ("moved", "OOS-MA,MT"))
        self.assertNotEqual(sim.hash(ne="lp.mil1"), before)
        sim.control(op="set", ne="lp.mil1", **{"class": "OTS"}, aid="1-A-1-L1", attrs={"LABEL": None}, state="IS")
        self.assertEqual(sim.hash(ne="lp.mil1"), before)
        alarm = dict(op="alarm", ne="lp.mil1", aid="1-A-3", condition="IMPROPRMVL", severity="CR", text="Card was pulled", **{"class": "EQPT"})
        sim.control(**alarm)
        ne.autonomous(r"\*C \d+ REPT ALM EQPT")
        self.assertIn("IMPROPRMVL", self.good(ne, "RTRV-ALM-EQPT:lp.mil1::A2::,,,,;").records[0])
        sim.control(clear=True, **alarm)
        ne.autonomous(r"A  \d+ REPT ALM EQPT")
        self.assertEqual(self.good(ne, "RTRV-ALM-EQPT:lp.mil1::A3::,,,,;").records, [])
        for refused in (dict(op="set", ne="lp.no", aid="x", **{"class": "OTS"}), dict(op="nonsense"), dict(op="cut", span="none"),
                        dict(op="alarm", ne="lp.mil1", aid="q", condition="Z", clear=True, **{"class": "EQPT"}),
                        dict(op="loss", span="mil-fir", loss_cdb=99999), dict(op="options", options={"no": 1})):
            self.assertFalse(sim.control(ok=False, **refused)["ok"], refused)

    def test_element_behind_a_gateway(self):
        sim = self.sim()
        ne = sim.login("lp.mil1")
        self.assertEqual(ne.run("RTRV-SYS:lp.ola1::A1;").code, "PLNA")  # a login for each element
        self.good(ne, "ACT-USER:lp.ola1:svc_orch:A2::s3cr3t;")
        answer = self.good(ne, "RTRV-SYS:lp.ola1::A3;")
        self.assertEqual(answer.sid, "lp.ola1")
        ola = sim.login("lp.ola1")  # itself no gateway
        self.assertEqual(ola.run("RTRV-SYS:lp.mil1::A4;").code, "IITA")
        sim.control(op="replace", ne="lp.ola1", answers_as="lp.other", serial="MA9999999999")
        self.assertEqual(self.good(ne, "RTRV-SYS:lp.ola1::A5;").sid, "lp.other")
        self.assertIn("MA9999999999", self.good(ne, "RTRV-EQPT:lp.ola1:1:A6::::;").records[0])

    def test_long_names_and_blocks(self):
        """Names of engineered paths are cut where a circuit shows them; long answers come in blocks."""
        name = "m" * 100
        sim = self.sim(options={"block_records": 3})
        ne = sim.login("lp.mil1")
        self.good(ne, ENT_OEL.replace("mil-fir-rom", name))
        self.good(ne, ENT_OSNC.replace("mil-fir-rom", name))
        self.assertEqual(self.good(ne, "RTRV-OSNC:lp.mil1::A1::::;").get("OELAID"), "m" * 64)
        ports = self.good(ne, "RTRV-SCG:lp.mil1::A2::::;")
        self.assertEqual(len(ports.records), 16)
        self.assertEqual(ports.blocks, 6)

    def test_deterministic(self):
        """The same seed reads the same numbers; another one other numbers."""
        def readings(seed):
            sim = flexsim.Sim(setup=[ENT_OEL, ENT_OSNC], arguments=["--seed", str(seed)])
            with sim:
                ne = sim.login("lp.mil1")
                return [ne.run("RTRV-PM-SCH:lp.mil1:1-A-3-T1-1:A1::OPR,,,,,,;").records[0] for _ in range(5)]
        first = readings(7)
        self.assertEqual(first, readings(7))
        self.assertNotEqual(first, readings(8))


if __name__ == "__main__":
    unittest.main()
