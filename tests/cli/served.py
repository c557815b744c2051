"""What a test's own servers have in common."""

import threading


class Served:
    """Serves on a thread of its own, from `with` to its end. Comes before the class of socketserver."""

    daemon_threads = True

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *arguments):
        self.shutdown()
        self.thread.join()
        self.server_close()
