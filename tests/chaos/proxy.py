"""A TCP proxy whose connections can be cut."""
import asyncio
import threading


class Proxy:
    def __init__(self, port):
        self.target = port
        self.pairs = set()
        self.loop = asyncio.new_event_loop()
        self.port = None
        self.ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def serve():
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await server.serve_forever()
        self.loop.run_until_complete(serve())

    async def _client(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        pair = (writer, far_writer)
        self.pairs.add(pair)

        async def pump(source, sink):
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                sink.close()
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        self.pairs.discard(pair)

    def cut(self, share, random):
        """Resets a share of the connections; how many."""
        def go():
            chosen = [pair for pair in self.pairs if random.random() < share]
            for pair in chosen:
                for writer in pair:
                    writer.transport.abort()
            result.append(len(chosen))
            done.set()
        result, done = [], threading.Event()
        self.loop.call_soon_threadsafe(go)
        done.wait(5)
        return result[0] if result else 0
