# Prepared arrays and manifests -> weights and history: one job for each run and seed. A run with a
# parent starts from the parent's weights of the same seed.


rule train:
    input:
        prepared=lambda wildcards: graph.training_inputs(
            graph.job(wildcards.run, wildcards.seed)
        ),
        manifests=lambda wildcards: graph.manifests(
            graph.job(wildcards.run, wildcards.seed)
        ),
        parent=lambda wildcards: graph.parent(graph.job(wildcards.run, wildcards.seed)),
    output:
        multiext(f"{graph.results}/training/{{run}}/seed{{seed}}/", *TRAINING_FILES),
    log:
        f"{graph.results}/logs/training/{{run}}/seed{{seed}}.log",
    conda:
        "../envs/taskshare.yaml"
    threads: lambda wildcards: graph.job(wildcards.run, wildcards.seed).training.threads
    resources:
        gpu=graph.gpus_per_job(),
    params:
        run=lambda wildcards: graph.job_json(wildcards.run, wildcards.seed),
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        manifests=lambda wildcards, input: [
            f"--manifests={path}" for path in input.manifests
        ],
        parent=lambda wildcards, input: [f"--parent={path}" for path in input.parent],
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare train --run {params.run:q} --prepared {params.prepared:q} {params.manifests:q}"
        " {params.parent:q} --out {params.out:q} > {log:q} 2>&1"
