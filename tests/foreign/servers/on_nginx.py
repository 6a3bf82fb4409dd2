"""nginx in front of the echo server on aiohttp: `on_nginx.py PORT`, as its documentation has WebSockets proxied."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from both import wait_for

from lab.testbed.namespaces import die_with

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") or "nginx"
BEHIND = 8081
"""The port of the server behind it."""
CONFIGURATION = """
daemon off;
master_process off;  # one process, which ends when its parent does
user root;           # whoever that is here
pid FOLDER/pid;
error_log stderr crit;
events { }
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ''      close;
    }
    server {
        listen 0.0.0.0:PORT;
        listen [::]:PORT ipv6only=on;
        location / {
            proxy_pass http://127.0.0.1:BEHIND;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
        }
    }
}
"""


def main(port: int) -> None:
    """Start both, and become nginx. Its files are in the folder `nginx` of the current one."""
    parent = os.getpid()
    child = os.fork()
    if not child:
        die_with(parent)
        os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("on_aiohttp.py")), str(BEHIND)])
    wait_for("127.0.0.1", BEHIND, child)
    folder = Path.cwd() / "nginx"
    folder.mkdir(exist_ok=True)
    words = {"FOLDER": str(folder), "PORT": str(port), "BEHIND": str(BEHIND)}
    configuration = folder / "nginx.conf"
    configuration.write_text(re.sub("|".join(words), lambda found: words[found[0]], CONFIGURATION))
    os.execvp(NGINX, [NGINX, "-p", str(folder), "-c", str(configuration), "-e", "stderr"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
