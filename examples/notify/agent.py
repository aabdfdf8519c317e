#!/usr/bin/env python3
"""An agent: takes the listener of a filter and decides about each call it is asked for.

See seccomp_unotify(2), and config-linux.md, "The Container Process State".
"""
import array, errno, fcntl, json, os, select, socket, struct

PATH = "/tmp/jec-agent.sock"
RECV, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_* of <linux/seccomp.h>
ANSWER = -errno.EDQUOT

if os.path.exists(PATH):
    os.unlink(PATH)
server = socket.socket(socket.AF_UNIX)
server.bind(PATH)
server.listen()
connection, _ = server.accept()
message, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
print(json.dumps(json.loads(message), indent=2))
listener = descriptors[0]

questions = select.poll()
questions.register(listener, select.POLLIN)

# POLLHUP: nobody is left who could ask. RECV alone would wait for one for ever.
while not questions.poll()[0][1] & select.POLLHUP:
    # struct seccomp_notif: id, pid, flags, then struct seccomp_data: number, arch, address, arguments.
    question = array.array("B", bytes(80))
    try:
        fcntl.ioctl(listener, RECV, question)
    except OSError:  # ENOENT: whoever asked was killed meanwhile
        continue
    identity, pid, _, number = struct.unpack_from("=QIIi", question)
    print(f"process {pid} calls {number}: {os.strerror(-ANSWER)}")
    # struct seccomp_notif_resp: id, value, error, flags.
    fcntl.ioctl(listener, SEND, struct.pack("=Qqii", identity, 0, ANSWER, 0))
