"""A small TNMS for tests: HTTPS with a certificate of its own authority, a login that gives tokens, devices and spans as TAPI writes them."""
import http.server
import json
import os
import ssl
import subprocess
import threading
import urllib.parse

CONTEXT = "/data/tapi-common:context/tapi-equipment:physical-context"


def certificate(folder):
    """Key and certificate for 127.0.0.1, signed by themselves; the file is its own trust anchor."""
    key, cert = os.path.join(folder, "tnms.key"), os.path.join(folder, "tnms.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key,
                    "-out", cert, "-subj", "/CN=tnms", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return key, cert


class Tnms:
    """`fibers`: [(node, port, node, port)] with ports as the TNMS names them."""

    def __init__(self, folder, fibers, user="svc", password="nms"):
        self.fibers, self.requests, self.logins, self.token, self.away = fibers, [], 0, None, False
        self.form = urllib.parse.urlencode({"user": user, "password": password})
        key, self.certificate = certificate(folder)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body):
                if outer.away:  # the connection ends without a word
                    self.close_connection = True
                    return
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/yang-data+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if self.path != "/auth" or body != outer.form:
                    return self.answer(401, {})
                outer.logins += 1
                outer.token = f"Bearer t{outer.logins}"
                return self.answer(200, {"token_type": "Bearer", "access_token": f"t{outer.logins}"})

            def do_GET(self):
                path, _, query = self.path.partition("?")
                fields = urllib.parse.parse_qs(query).get("fields", [""])[0]
                outer.requests.append(fields)
                if self.headers.get("Authorization") != outer.token:
                    return self.answer(401, {})
                if path != CONTEXT:
                    return self.answer(404, {})
                return self.answer(200, {"tapi-equipment:physical-context": outer.context(fields)})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate, key)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def context(self, fields):
        if fields.startswith("device("):
            nodes = {}
            for a, port_a, z, port_z in self.fibers:
                nodes.setdefault(a, set()).add(port_a)
                nodes.setdefault(z, set()).add(port_z)
            return {"device": [{"uuid": f"d-{node}", "name": [{"value-name": "NAME", "value": node}],
                                "access-port": [{"uuid": f"p-{port}", "name": [{"value": f"Line PTP {port}"}]} for port in sorted(ports)]}
                               for node, ports in sorted(nodes.items())]}
        return {"physical-span": [{"uuid": f"s-{i}", "access-port": [{"device-uuid": f"d-{a}", "access-port-uuid": f"p-{port_a}"},
                                                                    {"device-uuid": f"d-{z}", "access-port-uuid": f"p-{port_z}"}]}
                                  for i, (a, port_a, z, port_z) in enumerate(self.fibers)]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
