# Every result -> one HTML file.


rule parameters:
    output:
        f"{graph.results}/params.json",
    log:
        f"{graph.results}/logs/report/parameters.log",
    localrule: True
    params:
        content=graph.params_json(),
    run:
        Path(output[0]).write_text(params.content, encoding="utf-8")
        Path(log[0]).write_text(
            f"{output[0]} holds params.yaml as it was in force\n"
        )


rule report:
    input:
        results=graph.report_inputs(),
        params=f"{graph.results}/params.json",
        templates=[
            str(path)
            for path in sorted(Path("reports").rglob("*"))
            if path.suffix in (".j2", ".yaml", ".css")
        ],
        # The claims are judged with the statistics of the evaluation phase.
        code=[
            str(path)
            for phase in ("evaluation", "report")
            for path in sorted(Path(f"src/taskshare/{phase}").rglob("*.py"))
        ]
        + ["src/taskshare/networks/plan.py"],
    output:
        f"{graph.results}/report/report.html",
    log:
        f"{graph.results}/logs/report/report.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        results=lambda wildcards, input: str(Path(input.params).parent),
    shell:
        "python -m taskshare report --params {input.params:q} --results {params.results:q} --out {output:q}"
        " > {log:q} 2>&1"
