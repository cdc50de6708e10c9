#!/usr/bin/python3
"""Clients that all want to be the one: race.py create|replace KEY CLIENTS

Each sends a conditional PUT with a value of its own through one of four nodes, all at the same moment. Fails unless
exactly one is let through in each round, and unless its value is the one that is stored then.
"""
import http.client
import sys
import threading

ROUNDS = 8
VALUE_BYTES = 50_000


def request(node, method, key, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.%d" % node, 7776, timeout=60)
    connection.request(method, "/" + key, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.getheader("ETag"), content


def run_round(key, clients, number, condition):
    values = [(b"%d of round %d\n" % (client, number)) * (VALUE_BYTES // 20) for client in range(clients)]
    statuses = [None] * clients
    barrier = threading.Barrier(clients)

    def client(index):
        barrier.wait()
        statuses[index] = request(index % 4 + 1, "PUT", key, values[index], condition)[0]

    threads = [threading.Thread(target=client, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [index for index in range(clients) if statuses[index] in (201, 204)]
    losers = [index for index in range(clients) if statuses[index] == 412]
    if len(winners) != 1 or len(losers) != clients - 1:
        sys.exit("round %d: %s" % (number, statuses))
    status, tag, content = request(2, "GET", key)
    if status != 200 or content != values[winners[0]]:
        sys.exit("round %d: %d won, but its value is not stored" % (number, winners[0]))
    return tag


def main():
    how, key, clients = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if how == "replace":
        request(1, "PUT", key, b"the first")
    tag = request(1, "GET", key)[1]
    for number in range(ROUNDS):
        if how == "create":
            run_round(key, clients, number, {"If-None-Match": "*"})
            request(3, "DELETE", key)
        else:
            tag = run_round(key, clients, number, {"If-Match": tag})


main()
