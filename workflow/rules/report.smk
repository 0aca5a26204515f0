# Findings -> one HTML file, and what DVC shows.


rule parameters:
    output:
        f"{graph.results}/params.json",
    log:
        f"{graph.results}/logs/report/parameters.log",
    localrule: True
    conda:
        "../envs/taskshare.yaml"
    params:
        content=graph.params_json(),
    shell:
        "printf %s {params.content:q} > {output:q}; echo {output:q} holds params.yaml as it was in force > {log:q}"


rule summary:
    input:
        results=graph.report_inputs(),
        params=f"{graph.results}/params.json",
        published=[
            local(str(path))
            for path in sorted((project / "reports/published").glob("*.yaml"))
        ],
        code=[
            local(str(path))
            for phase in ("evaluation", "report")
            for path in sorted((project / "src/taskshare" / phase).rglob("*.py"))
        ],
    output:
        graph.summary_files(),
    log:
        f"{graph.results}/logs/report/summary.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        results=lambda wildcards, input: str(Path(input.params).parent),
        out=lambda wildcards, output: str(Path(output[0]).parent),
        published=lambda wildcards, input: str(Path(input.published[0]).parent),
    shell:
        "python -m taskshare summary --params {input.params:q} --results {params.results:q}"
        " --published {params.published:q} --out {params.out:q} > {log:q} 2>&1"


rule report:
    input:
        findings=f"{graph.results}/findings.json",
        templates=[
            local(str(path))
            for path in sorted((project / "reports/templates").glob("*"))
        ],
        code=[
            local(str(path))
            for path in sorted((project / "src/taskshare/report").rglob("*.py"))
        ],
    output:
        f"{graph.results}/report/report.html",
    log:
        f"{graph.results}/logs/report/report.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        templates=lambda wildcards, input: str(Path(input.templates[0]).parent),
    shell:
        "python -m taskshare report --findings {input.findings:q} --out {output:q}"
        " --templates {params.templates:q} > {log:q} 2>&1"
