"""Scenarios that a client must master with a broker, each a function that uses the command line.

A scenario gets a `Run` (the broker and the MQTT version). It returns None on success, or raises `Wrong`
with what happened. `run.py` lists what a broker is known not to do, with the reason.
"""
import concurrent.futures
import contextlib
import itertools
import os
import signal
import subprocess
import time

from cutter import Cutter

WAIT = 30


class Wrong(Exception):
    """What happened instead of the expected."""


class Run:
    """One broker, one version of MQTT, the program under test."""

    def __init__(self, program, broker, version, pki):
        self.program = program
        self.broker = broker
        self.version = version
        self.pki = pki
        # The qualities of service at which this broker delivers.
        self.qos = ["0", "1", "2"][:broker.highest_qos + 1]
        self.numbers = itertools.count(1)

    def fresh(self, stem):
        """Returns a name that no other scenario of the run has used."""
        return f"{stem}{next(self.numbers)}v{self.version[0]}"

    def command(self, verb, *arguments, port=None, tls=False):
        uri = f"mqtts://127.0.0.1:{self.broker.tls}" if tls else f"mqtt://127.0.0.1:{port or self.broker.plain}"
        trust = ["--cafile", str(self.pki / "ca.pem")] if tls else []
        login = []
        if self.broker.credentials:
            login = ["-u", self.broker.credentials[0], "-P", self.broker.credentials[1]]
        return [str(self.program), verb, *arguments, "-V", self.version, *trust, *login, uri]

    def is_exact(self, qos):
        """Returns whether a message of this quality of service arrives once even if connections break."""
        return qos == "2" and not self.broker.repeats_qos2

    def publish(self, *arguments, lines=(), text=None, timeout=WAIT, **where):
        """Runs `pub` with the lines or the text as its input, which must succeed."""
        command = self.command("pub", *arguments, "-W", str(timeout), **where)
        text = text or "".join(f"{line}\n" for line in lines)
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise Wrong(f"pub exited with {done.returncode}: {last(done.stderr)}")
        return done.stderr

    @contextlib.contextmanager
    def subscriber(self, *arguments, **where):
        """Runs a `sub` that is subscribed when the block begins and killed when it ends."""
        with Subscriber(self.command("sub", "-d", *arguments, **where)) as subscriber:
            subscriber.wait_until_subscribed()
            yield subscriber


class Subscriber:
    """`sub` in the background."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.out = ""
        self.err = ""
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read(self):
        self.out += (self.process.stdout.read() or b"").decode(errors="replace")
        self.err += (self.process.stderr.read() or b"").decode(errors="replace")

    def wait_for(self, condition, what, seconds=WAIT):
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            self.read()
            if condition(self):
                return
            if ended or time.monotonic() > deadline:
                raise Wrong(f"sub: {what}; it printed {self.out[-200:]!r}, {last(self.err)!r}")
            time.sleep(0.02)

    def wait_until_subscribed(self):
        self.wait_for(lambda s: "subscribed" in s.err, "it did not subscribe")

    def lines(self):
        return self.out.splitlines()

    def expect(self, lines, exactly=True):
        """Waits for the lines; unless `exactly`, each may arrive again."""
        wanted = list(lines)
        self.wait_for(lambda s: set(wanted) <= set(s.lines()), f"{wanted[-1]!r} did not arrive")
        if exactly:
            time.sleep(0.3)
            self.read()
            if self.lines() != wanted:
                raise Wrong(f"{differences(wanted, self.lines())}")


def differences(wanted, seen):
    twice = sorted({line for line in seen if seen.count(line) > 1})
    missing = [line for line in wanted if line not in seen]
    if twice or missing:
        return f"twice: {twice[:5]}, missing: {missing[:5]}"
    return "not in the order in which they were published"


def last(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[-2:]) if lines else ""


def together(tasks):
    """Runs the tasks in parallel, six at a time. Raises the exception of the first that failed."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def numbered(count, stem="line"):
    return [f"{stem} {number}" for number in range(count)]


def each_qos(run):
    """Twenty messages at each quality of service, in order, each once."""
    for qos in ("0", "1", "2"):
        topic = run.fresh("qos")
        with run.subscriber("-t", topic, "-q", qos) as subscriber:
            run.publish("-t", topic, "-q", qos, "-l", lines=numbered(20))
            subscriber.expect(numbered(20))


def sizes(run):
    """Messages of no, one, 127, 128, 16,384 and 200,000 bytes."""
    topic = run.fresh("sizes")
    counts = (0, 1, 127, 128, 16384, 200000)
    with run.subscriber("-t", topic, "-q", "1", "-F", "%l") as subscriber:
        for count in counts:
            run.publish("-t", topic, "-q", "1", "-s", text="x" * count)
        subscriber.expect([str(count) for count in counts])


def retained(run):
    """A retained message reaches a later subscriber, and an empty one deletes it."""
    topic = run.fresh("retained")
    run.publish("-t", topic, "-q", "1", "-r", "-m", "kept")
    with run.subscriber("-t", topic, "-q", "1", "-F", "%r %p") as subscriber:
        subscriber.expect(["1 kept"])
    run.publish("-t", topic, "-q", "1", "-r", "-n")
    with run.subscriber("-t", topic, "-q", "1") as subscriber:
        run.publish("-t", topic, "-q", "1", "-m", "after")
        subscriber.expect(["after"])


def will(run):
    """The will is published when its owner is killed, and not after a normal exit."""
    topic, other = run.fresh("will"), run.fresh("will")
    owner = ("-t", other, "--will-topic", topic, "--will-payload", "gone", "--will-qos", "1")
    with run.subscriber("-t", topic, "-q", "1") as subscriber:
        run.publish("-t", other, "-m", "x", "--will-topic", topic, "--will-payload", "not sent")
        with run.subscriber(*owner) as victim:
            victim.process.send_signal(signal.SIGKILL)
            subscriber.expect(["gone"])


def many_filters(run):
    """Twelve filters with wildcards in one session, each with its message."""
    topic = run.fresh("many")
    filters = [word for number in range(12) for word in ("-t", f"{topic}/{number}/+")]
    with run.subscriber(*filters, "-q", "1") as subscriber:
        for number in range(12):
            run.publish("-t", f"{topic}/{number}/x", "-q", "1", "-m", str(number))
        subscriber.expect([str(number) for number in range(12)])


def offline(run):
    """What is published while a subscriber with a kept session is away arrives when it returns."""
    topic, name = run.fresh("offline"), run.fresh("device")
    kept = ("-t", topic, "-q", run.qos[-1], "-c", "-i", name)
    with run.subscriber(*kept):
        pass
    lines = numbered(20, "missed")
    run.publish("-t", topic, "-q", run.qos[-1], "-l", lines=lines)
    with run.subscriber(*kept) as subscriber:
        subscriber.expect(lines)


def cuts_while_publishing(run):
    """Connections that break in every packet of a publisher: nothing lost, and no QoS 2 message twice."""
    # Inside CONNECT, after it, inside and after PUBLISH; inside CONNACK and after it, inside acknowledgements.
    places = [("up", count) for count in (3, 45, 80, 110, 150, 210, 290)]
    places += [("down", count) for count in (1, 12, 17, 23, 31)]
    together([lambda qos=qos, cut=cut: publish_through_cut(run, qos, cut)
              for qos in run.qos[1:] for cut in places])


def publish_through_cut(run, qos, cut):
    topic, name = run.fresh("cut"), run.fresh("publisher")
    lines = numbered(25)
    with run.subscriber("-t", topic, "-q", qos) as subscriber, Cutter(run.broker.plain, [cut]) as cutter:
        try:
            run.publish("-t", topic, "-q", qos, "-l", "-c", "-i", name, "--retry",
                        lines=lines, port=cutter.own_port, timeout=60)
        except Wrong as wrong:
            # The subscriber must still receive everything.
            if not (qos == "2" and run.broker.leaves_pubrel and "not acknowledged" in str(wrong)):
                raise
        if not cutter.made:
            raise Wrong(f"the connection was not cut at {cut}")
        try:
            subscriber.expect(lines, exactly=run.is_exact(qos))
        except Wrong as wrong:
            raise Wrong(f"QoS {qos}, cut at {cut}: {wrong}") from None


def cuts_while_receiving(run):
    """The same on the subscriber's side."""
    places = [("down", count) for count in (10, 60, 90, 130, 200, 300)]
    places += [("up", count) for count in (50, 80, 110)]
    together([lambda cut=cut: receive_through_cut(run, run.qos[-1], cut) for cut in places])


def receive_through_cut(run, qos, cut):
    topic, name = run.fresh("cut"), run.fresh("subscriber")
    lines = numbered(25)
    kept = ("-t", topic, "-q", qos, "-c", "-i", name)
    # The session exists before anything is published.
    with run.subscriber(*kept):
        pass
    with Cutter(run.broker.plain, [cut]) as cutter, \
            run.subscriber(*kept, "--retry", port=cutter.own_port) as subscriber:
        run.publish("-t", topic, "-q", qos, "-l", lines=lines)
        try:
            subscriber.wait_for(lambda s: set(lines) <= set(s.lines()), "messages were lost", seconds=60)
            # A line is printed before what acknowledges it is sent.
            subscriber.wait_for(lambda _: cutter.made, "the connection was not cut", seconds=10)
            subscriber.expect(lines, exactly=run.is_exact(qos))
        except Wrong as wrong:
            raise Wrong(f"QoS {qos}, cut at {cut}: {wrong}") from None


def restart(run):
    """The broker is killed and restarted: the publisher and the subscriber continue."""
    topic = run.fresh("restart")
    with run.subscriber("-t", topic, "-q", "1") as subscriber:
        publisher = subprocess.Popen(run.command("pub", "-t", topic, "-q", "1", "-l"),
                                     stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            publisher.stdin.write("before\n")
            subscriber.expect(["before"])
            run.broker.restart()
            subscriber.wait_for(lambda s: s.err.count("online") > 1, "it did not reconnect", seconds=90)
            # The subscription is renewed some time later; one of these messages follows it.
            for number in range(60):
                publisher.stdin.write(f"after {number}\n")
                time.sleep(0.5)
                subscriber.read()
                if "after" in subscriber.out:
                    break
            publisher.stdin.close()
            if publisher.wait(90) != 0:
                raise Wrong(f"pub exited with {publisher.returncode}: {last(publisher.stderr.read())}")
            subscriber.wait_for(lambda s: "after" in s.out, "nothing arrived after the restart")
        except subprocess.TimeoutExpired:
            raise Wrong("pub did not exit") from None
        finally:
            publisher.kill()
            publisher.wait()


def tls(run):
    """TLS 1.2 and 1.3, a first connection and one that may resume its session."""
    for version in ("1.2", "1.3"):
        topic = run.fresh("tls")
        with run.subscriber("-t", topic, "-q", "1", "--tls", version, tls=True) as subscriber:
            run.publish("-t", topic, "-q", "1", "-l", "--tls", version, tls=True, lines=numbered(5))
            subscriber.expect(numbered(5))


def wrong_ca(run):
    """A certificate from another CA is refused with its cause."""
    command = [str(run.program), "pub", "-t", "t", "-m", "x", "-V", run.version, "--cafile",
               str(run.pki / "other.pem"), f"mqtts://127.0.0.1:{run.broker.tls}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT)
    if done.returncode != 7:
        raise Wrong(f"pub exited with {done.returncode}: {last(done.stderr)}")


def doctor(run):
    """The doctor reports no problem."""
    done = subprocess.run(run.command("doctor"), capture_output=True, text=True, timeout=WAIT)
    if done.returncode != 0:
        raise Wrong(f"doctor exited with {done.returncode}: {last(done.stdout + done.stderr)}")


def too_large(run):
    """A message above the broker's limit does not block those behind it."""
    topic = run.fresh("large")
    lines = ["before", "x" * (4 * run.broker.limit), "after"]
    with run.subscriber("-t", topic, "-q", "1") as subscriber:
        done = subprocess.run(run.command("pub", "-t", topic, "-q", "1", "-l", "-W", "120"),
                              input="".join(f"{line}\n" for line in lines), capture_output=True, text=True)
        subscriber.expect(["before", "after"], exactly=False)
        if done.returncode != 9:
            raise Wrong(f"pub exited with {done.returncode}, not 9: {last(done.stderr)}")


# The name in the table, and the scenario.
ALL = {
    "each QoS": each_qos,
    "sizes": sizes,
    "retained": retained,
    "will": will,
    "12 filters": many_filters,
    "offline": offline,
    "cuts, publishing": cuts_while_publishing,
    "cuts, receiving": cuts_while_receiving,
    "restart": restart,
    "TLS 1.2, 1.3": tls,
    "wrong CA": wrong_ca,
    "doctor": doctor,
    "too large": too_large,
}
