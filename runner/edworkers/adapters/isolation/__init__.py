"""A process of its own for each job: the outside system is the operating system's processes.

A runner forks nothing itself: it has threads, an event loop and open connections, none of which survives that. It
starts one small process, the zygote, which has imported the handlers and nothing else, and which forks a process for
each job: so a job's process begins within milliseconds, and inherits nothing of the runner's.

    runner (isolated.py, zygote.py) ── frames ── zygote (serve.py) ── frames ── process of one job (job_process.py)

Whatever ends, what is below it ends too, by SIGKILL of whole process groups: a job's process by the zygote, when the
runner asks, when its time is up or when its lease can't be valid any more; all of them when the runner is gone; and the
runner ends them where the zygote is gone. What a job's process leaves behind, in its group or out of it, falls to the
zygote, and is killed as well.
"""
