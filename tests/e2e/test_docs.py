"""What busbard generates from its tables stands in the documentation as it is."""

import os
import subprocess

from busbar_e2e import SRCDIR, busbard_path


def generated(flag):
    return subprocess.run([busbard_path(), flag], check=True, capture_output=True, text=True).stdout


def page(*path):
    with open(os.path.join(SRCDIR, "docs", *path), encoding="utf-8") as f:
        return f.read()


def test_sample_file():
    assert page("busbar.conf") == generated("--print-config=sample")


def test_manual_of_settings():
    text = page("man", "busbar.conf.5")
    listed = text[text.index(".SH SETTINGS\n") + len(".SH SETTINGS\n"):text.index(".SH SEE ALSO")]
    assert listed == generated("--print-config=man")


def test_sample_file_is_read(make_server, tmp_path):
    conf = tmp_path / "busbar.conf"
    text = page("busbar.conf").replace("#max-body = 25000000", "max-body = 2KiB")
    conf.write_text(text, encoding="utf-8")
    server = make_server(config=str(conf)).create()
    assert server.write("m v=1 1").status == 204
    assert server.write("m v=1 1\n" * 1000).status == 413


def test_a_broken_file_ends_the_start(tmp_path):
    conf = tmp_path / "busbar.conf"
    conf.write_text("data = x\nmax-bodies = 1\n", encoding="utf-8")
    for args in (["--config", str(conf)], ["--config=" + str(conf)]):
        result = subprocess.run([busbard_path()] + args, capture_output=True, text=True,
                                check=False, timeout=10)
        assert result.returncode == 1
        assert result.stderr == "busbard: %s:2: no such setting: max-bodies\n" % conf
    result = subprocess.run([busbard_path(), "--config", str(tmp_path / "none")], check=False,
                            capture_output=True, text=True, timeout=10)
    assert result.returncode == 1 and "No such file" in result.stderr


def test_list_of_metrics():
    text = page("metrics.md")
    assert text[text.index("| metric "):] == generated("--print-metrics")
