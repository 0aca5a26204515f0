# Raw images -> prepared arrays with label tables -> resampling manifests.


rule synthesise:
    output:
        f"{graph.results}/data/{{dataset}}/synthetic.tar",
    log:
        f"{graph.results}/logs/data/{{dataset}}/synthesise.log",
    conda:
        "../envs/taskshare.yaml"
    threads: 2
    params:
        sizes=lambda wildcards: graph.synthetic_json(wildcards.dataset),
    shell:
        "python -m taskshare synthesise --dataset {wildcards.dataset} --sizes {params.sizes:q}"
        " --workers {threads} --out {output:q} > {log:q} 2>&1"


rule download:
    output:
        "downloads/{dataset}/download.json",
    log:
        "downloads/{dataset}/download.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        # Progress and errors go to the terminal: a download of gigabytes is watched.
        "python -m taskshare download --dataset {wildcards.dataset} --out {params.folder:q} > {log:q}"


rule prepare:
    input:
        lambda wildcards: graph.source_files(wildcards.dataset),
    output:
        multiext(
            f"{graph.results}/data/{{dataset}}/{{variant}}/",
            *[
                f"{split}.{kind}"
                for split in configuration.SPLITS
                for kind in ("npy", "parquet")
            ],
            "facts.json",
        ),
    log:
        f"{graph.results}/logs/data/{{dataset}}/{{variant}}/prepare.log",
    conda:
        "../envs/taskshare.yaml"
    threads: 2
    params:
        dataset=lambda wildcards: graph.dataset_json(wildcards.dataset),
        variant=lambda wildcards: graph.variant_json(
            wildcards.dataset, wildcards.variant
        ),
        kind=lambda wildcards: graph.params.source_kind(wildcards.dataset),
        # An archive is the rule's only input; of a folder, the inputs are no more than what stands for it.
        source=lambda wildcards, input: (
            str(input[0])
            if graph.source_files(wildcards.dataset)
            == [graph.source_path(wildcards.dataset)]
            else graph.source_path(wildcards.dataset)
        ),
        # Not read by the command: another source, or other content of it, prepares again.
        fingerprint=lambda wildcards: graph.source_fingerprint(wildcards.dataset),
        out=lambda wildcards, output: str(Path(output[0]).parent),
        on_bad_image=graph.params.data.on_bad_image,
    shell:
        "python -m taskshare prepare --name {wildcards.dataset} --dataset {params.dataset:q}"
        " --variant {params.variant:q} --source {params.source:q} --kind {params.kind}"
        " --on-bad-image {params.on_bad_image} --workers {threads} --out {params.out:q} > {log:q} 2>&1"


rule manifest:
    input:
        f"{graph.results}/data/{{dataset}}/{{variant}}/train.parquet",
    output:
        f"{graph.results}/data/{{dataset}}/{{variant}}/manifests/{{task}}-{{sampling}}-{{resampling}}-seed{{seed}}.parquet",
    log:
        f"{graph.results}/logs/data/{{dataset}}/{{variant}}/{{task}}-{{sampling}}-{{resampling}}-seed{{seed}}.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        dataset=lambda wildcards: graph.dataset_json(wildcards.dataset),
    shell:
        "python -m taskshare manifest --table {input:q} --dataset {params.dataset:q} --task {wildcards.task:q}"
        " --sampling {wildcards.sampling} --resampling {wildcards.resampling} --seed {wildcards.seed}"
        " --out {output:q} > {log:q} 2>&1"


rule contact_sheet:
    input:
        images=f"{graph.results}/data/{{dataset}}/{{variant}}/train.npy",
        table=f"{graph.results}/data/{{dataset}}/{{variant}}/train.parquet",
    output:
        f"{graph.results}/data/{{dataset}}/{{variant}}/contact_sheet.png",
    log:
        f"{graph.results}/logs/data/{{dataset}}/{{variant}}/contact_sheet.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        dataset=lambda wildcards: graph.dataset_json(wildcards.dataset),
        prepared=lambda wildcards, input: str(Path(input.images).parent),
        tasks=lambda wildcards: [
            f"--tasks={task}"
            for task in graph.variants()[
                f"{graph.results}/data/{wildcards.dataset}/{wildcards.variant}"
            ]
        ],
    shell:
        "python -m taskshare contact-sheet --prepared {params.prepared:q} --dataset {params.dataset:q}"
        " {params.tasks:q} --out {output:q} > {log:q} 2>&1"
