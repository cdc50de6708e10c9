#!/usr/bin/python3
"""A DNS server for one name: nameserver.py NAME ADDRESS MANNER-FILE LOG READY

Answers on 127.0.0.1:53 that NAME has ADDRESS, unless the first word in MANNER-FILE says otherwise: "silent" answers
nothing, "none" says that there is no such name. Each question is a line in LOG, with the manner.
"""
import socket
import struct
import sys

RESPONSE, NO_ERROR, NO_NAME, ADDRESS_RECORD, INTERNET = 0x8180, 0, 3, 1, 1


def question(packet):
    """The name, the type and where the question ends (RFC 1035 section 4.1.2)."""
    labels, place = [], 12
    while packet[place]:
        length = packet[place]
        labels.append(packet[place + 1:place + 1 + length].decode())
        place += length + 1
    kind, = struct.unpack_from(">H", packet, place + 1)
    return ".".join(labels).lower(), kind, place + 5


def main():
    name, address, manner_path, log_path, ready = sys.argv[1:6]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    open(ready, "w").close()
    while True:
        packet, client = server.recvfrom(2048)
        asked, kind, end = question(packet)
        with open(manner_path) as file:
            manner = file.read().strip()
        with open(log_path, "a") as log:
            print(manner, asked, kind, file=log)
        if manner == "silent":
            continue
        known = asked == name and manner != "none"
        answers = b""
        if known and kind == ADDRESS_RECORD:
            answers = struct.pack(">HHHIH", 0xC00C, ADDRESS_RECORD, INTERNET, 1, 4) + socket.inet_aton(address)
        flags = RESPONSE | (NO_ERROR if known else NO_NAME)
        server.sendto(packet[:2] + struct.pack(">HHHHH", flags, 1, bool(answers), 0, 0) + packet[12:end] + answers, client)


main()
