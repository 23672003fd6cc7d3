"""Real receivers for notifications: a webhook and an SMTP server on free ports that can be told to misbehave."""
import hashlib
import hmac
import http.server
import json
import socket
import socketserver
import ssl
import threading
import time


class Webhook:
    """behave(path, nth) -> "ok" or what to do instead: a status number, "cut", "garbage", "slow", "redirect", "huge"."""

    def __init__(self, behave=None):
        self.seen = []  # (path, headers, body bytes)
        self.behave = behave or (lambda path, nth: "ok")
        self.lock = threading.Lock()
        self.release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with outer.lock:
                    outer.seen.append((self.path, dict(self.headers), body))
                    nth = sum(path == self.path for path, _, _ in outer.seen)
                outer.answer(self, outer.behave(self.path, nth))
            do_GET = do_POST

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *args):
                pass
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, request, what):
        if what == "cut":
            request.connection.shutdown(socket.SHUT_RDWR)
        elif what == "garbage":
            request.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n" * 10)
            request.connection.shutdown(socket.SHUT_RDWR)
        elif what == "slow":
            self.release.wait(60)
        elif what == "redirect":
            request.send_response(307)
            request.send_header("Location", self.url("/elsewhere"))
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            body = b"x" * (3 << 20) if what == "huge" else b"thanks"
            request.send_response(200 if what in ("ok", "huge") else what)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    def at(self, path):
        with self.lock:
            return [(headers, json.loads(body)) for where, headers, body in self.seen if where == path]

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def signature_ok(secret, headers, body):
    text = headers["Lightpath-Timestamp"].encode() + b"." + body
    wanted = "v1=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, headers["Lightpath-Signature"])


class Smtp:
    """Takes mails. mode: ok, refuse (RCPT 550), busy (greeting 421), cut (in DATA), garbage, silent, nostarttls, badlogin."""

    def __init__(self, mode="ok", tls=None):
        self.mode, self.tls = mode, tls
        self.mails = []  # {"from", "to", "data", "login", "tls"}
        self.dialogue = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    outer.talk(self)
                except (OSError, ValueError):
                    pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True
            allow_reuse_address = True
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, peer):
        file, mail, secure = peer.rfile, {"to": [], "login": None}, False
        out = peer.wfile

        def say(text):
            out.write(text.encode() + b"\r\n")
            out.flush()
        if self.mode == "silent":
            time.sleep(30)
            return
        if self.mode == "garbage":
            out.write(bytes(range(256)) * 20 + b"\r\n")
            return
        say("421 come back later" if self.mode == "busy" else "220 mail.test ESMTP")
        while True:
            line = file.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                return
            self.dialogue.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offers = ["STARTTLS"] if self.tls and not secure and self.mode != "nostarttls" else []
                offers += ["AUTH PLAIN"] if secure else []
                for i, word in enumerate(["mail.test", *offers]):
                    say(f"250{'-' if i < len(offers) else ' '}{word}")
            elif verb == "STARTTLS":
                say("220 go ahead")
                wrapped = self.tls.wrap_socket(peer.connection, server_side=True)
                file, out, secure = wrapped.makefile("rb"), wrapped.makefile("wb"), True
            elif verb == "AUTH":
                say("334 ")
                mail["login"] = file.readline().decode("latin-1").strip()
                say("535 no" if self.mode == "badlogin" else "235 welcome")
            elif verb == "MAIL":
                mail["from"] = line
                say("250 ok")
            elif verb == "RCPT":
                mail["to"].append(line)
                say("550 nobody of that name" if self.mode == "refuse" else "250 ok")
            elif verb == "DATA":
                say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    if self.mode == "cut" and len(data) > 100:
                        peer.connection.shutdown(socket.SHUT_RDWR)
                        return
                    part = file.readline()
                    if not part:
                        return
                    data += part
                self.mails.append({**mail, "data": data[:-3], "tls": secure})
                mail = {"to": [], "login": mail["login"]}
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def self_signed(folder, name="localhost"):
    """(certificate, key) made by the openssl program, or None."""
    import subprocess
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                        f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return cert, key


def server_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
