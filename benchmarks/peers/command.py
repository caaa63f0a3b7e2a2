"""The command `hatch run bench peers`: what to measure, and where the results go."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.peers import draining, killing, plan, results, sending, table, waiting
from benchmarks.peers.contender import Contender, Worker, declared, names
from benchmarks.peers.environments import Environment
from benchmarks.peers.plan import FULL, QUICK, Sizes, Step
from benchmarks.peers.results import Numbers, Results, Row
from benchmarks.peers.server import PERSISTENCE, SERVERS, server
from benchmarks.peers.stage import Stage

RESULTS = Path(__file__).parents[1] / "results"
PLOTTER = ("matplotlib", "msgspec")


def main(words: list[str]) -> int:
    options = _options(words)
    sizes = _sizes(options)
    contenders = {
        name: contender
        for name in options.contenders or names()
        if (contender := declared(name)).service == options.service
    }
    planned = {
        name: list(plan.steps(one, options.workloads, sizes, options.setting))
        for name, one in contenders.items()
    }
    about = sum(step.seconds for steps in planned.values() for step in steps)
    if not about:
        print("none of these contenders has such a worker or workload", file=sys.stderr)
        return 2
    print(f"about {about / 60:.0f} minutes", flush=True)
    if options.plan:
        for name, steps in planned.items():
            print(f"{name}: {sum(step.seconds for step in steps):.0f} s")
        return 0
    file = RESULTS / f"{options.out}.json"
    failed = _measure(contenders, planned, sizes, options, file)
    _report(file)
    return 1 if failed else 0


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench peers", description="Packhorse beside other queues.")
    add = parser.add_argument
    add("contenders", nargs="*", metavar="CONTENDER", help=", ".join(names()))
    known = list(plan.WORKLOADS)
    add(
        "-w",
        "--workloads",
        nargs="+",
        choices=known,
        metavar="WORKLOAD",
        help=", ".join(known),
    )
    add("--setting", action="append", default=[], help="only workers of this name")
    add(
        "--quick",
        action="store_true",
        help="fewer, shorter runs and no kill: ten minutes, not forty",
    )
    add("-n", type=int, help="jobs of each run, instead of what suits the contender")
    add("--runs", type=int, help="runs of each rate, of which the median counts")
    add("--fill", type=float, help="seconds that filling a backlog may take")
    add("--persistence", choices=PERSISTENCE, default="everysec", help="of Redis (everysec)")
    add("--service", choices=list(SERVERS), default="redis", help="whose contenders (redis)")
    add("--plan", action="store_true", help="measure nothing, say how long it would take")
    add(
        "-o",
        "--out",
        default="peers-latest",
        help="results/NAME.json, which keeps what else it has",
    )
    options = parser.parse_args(words)
    if unknown := set(options.contenders) - set(names()):
        parser.error(f"no contender is called {min(unknown)}; there are {', '.join(names())}")
    options.workloads = options.workloads or (plan.SHORT if options.quick else known)
    return options


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else FULL
    given = {"jobs": options.n, "runs": options.runs, "fill": options.fill}
    return sizes._replace(**{key: value for key, value in given.items() if value})


def _measure(
    contenders: dict[str, Contender],
    planned: dict[str, list[Step]],
    sizes: Sizes,
    options: argparse.Namespace,
    file: Path,
) -> int:
    """Measures all that is planned, workload by workload; the number of failures."""
    for name, contender in contenders.items():
        Environment(name, contender.requires).make()
    failed = 0
    with server(options.service, options.persistence) as started:
        where = results.machine(f"{options.service} {started.version}", options.persistence)
        stages = {name: Stage(name, one, started) for name, one in contenders.items()}
        for workload in options.workloads:
            for name, stage in stages.items():
                for step in planned[name]:
                    if step.workload == workload:
                        row = _row(stage, step, sizes)
                        failed += bool(row.error)
                        _keep(file, stage, row, where)
    return failed


def _row(stage: Stage, step: Step, sizes: Sizes) -> Row:
    """Runs a step and says what came out; what fails is a result, too."""
    begun, runs, error = time.monotonic(), [], ""
    try:
        for _ in range(step.runs):
            runs.append(_run(stage, step, sizes))
    except Exception as failure:
        error = " ".join(f"{type(failure).__name__}: {failure}".split())
    worker = step.worker
    row = Row(
        service=stage.contender.service,
        workload=step.workload,
        contender=stage.name,
        setting=worker.name if worker else "",
        jobs=step.jobs,
        runs=runs,
        measured=results.now(),
        waiting=step.jobs if step.workload == "backlog" else 0,
        command=_command(worker) if worker else "",
        note=worker.note if worker else "",
        error=error,
    )
    took = time.monotonic() - begun
    told = error or "  ".join(f"{key} {table.number(row.value(key))}" for key in runs[0])
    print(f"{row.workload} {row.contender} {row.setting}: {told}  [{took:.0f} s]", flush=True)
    return row


def _command(worker: Worker) -> str:
    variables = "".join(f"{key}={value} " for key, value in worker.variables.items())
    return variables + worker.command + (f" (x {worker.copies})" if worker.copies > 1 else "")


def _run(stage: Stage, step: Step, sizes: Sizes) -> Numbers:
    workload, worker, jobs = step.workload, step.worker, step.jobs
    if worker is None:
        if workload == "raw":
            return sending.raw(stage, jobs)
        return sending.dispatch(stage, jobs, bulk=workload == "bulk")
    if workload == "latency":
        return waiting.latency(stage, worker, plan.RATE, sizes.paced, sizes.idle)
    if workload == "kill":
        return killing.kill(stage, worker, jobs)
    if workload == "backlog":
        return draining.backlog(stage, worker, jobs, sizes.fill)
    return draining.drain(stage, worker, "nap" if workload == "io" else "noop", jobs)


def _keep(file: Path, stage: Stage, row: Row, where: dict[str, str]) -> None:
    """Joins the row with what the file has, at once: a run that is broken off keeps the rest."""
    versions = stage.environment.versions(stage.contender.reports)
    safety = {stage.name: stage.contender.safety}
    new = Results(where, {stage.name: versions}, safety, [row])
    results.save(file, results.merged(results.load(file), new))


def _report(file: Path) -> None:
    """Table and plot of all that the file has, beside it."""
    text = table.markdown(results.load(file))
    file.with_suffix(".md").write_text(text)
    print(text)
    plotter = Environment("plot", PLOTTER)
    plotter.make()
    plotter.run("-m", "benchmarks.peers.plot", str(file), str(file.with_suffix(".png")))
    print(f"{file}, and .md and .png beside it")
