"""The world outside: takes calls, waits a while, and remembers each of them.

    POST /PROCESS/STEP/TOKEN/ATTEMPT   200 after 50 to 150 ms; recorded when it arrives and when it is done
    GET  /PROCESS/STEP/TOKEN/ATTEMPT   200 when such a call was done, 404 when not
"""
import asyncio
import random
import threading
import time


class Call:
    __slots__ = ("process", "step", "token", "attempt", "began", "ended")

    def __init__(self, process, step, token, attempt):
        self.process, self.step, self.token, self.attempt = process, step, token, attempt
        self.began, self.ended = time.monotonic(), None


class Server:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.calls, self.done, self.looks = [], set(), 0
        self.loop = asyncio.new_event_loop()
        self.port = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def serve():
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await server.serve_forever()
        try:
            self.loop.run_until_complete(serve())
        except asyncio.CancelledError:
            pass

    async def _client(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first = head.split(b"\r\n", 1)[0].decode().split()
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % await self._answer(first[0], first[1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method, path):
        process, step, token, attempt = path.strip("/").split("/")
        if method == "GET":
            self.looks += 1
            return b"200 OK" if (process, step) in self.done else b"404 Not Found"
        call = Call(process, step, token, int(attempt))
        self.calls.append(call)
        await asyncio.sleep(self.random.uniform(0.05, 0.15))
        call.ended = time.monotonic()
        self.done.add((process, step))  # the effect, whether the caller is still there or not
        return b"200 OK"
