"""Run the busbar program in tests."""

import os
import subprocess

from busbar_e2e import BUILDDIR


def busbar_path():
    return os.environ.get("BUSBAR", os.path.join(BUILDDIR, "busbar"))


class Tool:
    """busbar with a state folder of its own, talking to one server."""

    def __init__(self, folder, server=None):
        self.folder = str(folder)
        self.env = {**os.environ, "XDG_STATE_HOME": os.path.join(self.folder, "state"),
                    "TZ": "Asia/Tokyo"}
        for name in ("BUSBAR_URL", "BUSBAR_USER", "BUSBAR_PASSWORD", "BUSBAR_TOKEN"):
            self.env.pop(name, None)
        if server is not None:
            self.env["BUSBAR_URL"] = "http://127.0.0.1:%d" % server.http_port

    def command(self, *args):
        return [busbar_path(), *[str(a) for a in args]]

    def start(self, *args, **popen):
        return subprocess.Popen(self.command(*args), env=self.env, cwd=self.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **popen)

    def run(self, *args, code=0, stdin=None):
        """Run it, expect this exit code; returns (stdout, stderr) as text."""
        done = subprocess.run(self.command(*args), env=self.env, cwd=self.folder, input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, timeout=300, check=False)
        out, err = (b.decode("utf-8", "replace") for b in (done.stdout, done.stderr))
        assert done.returncode == code, "exit code %d\n%s\n%s" % (done.returncode, out[-3000:], err)
        return out, err

    def path(self, name, content=None):
        """A file in the folder, made if there is content."""
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8", newline="") as f:
            return f.read()
