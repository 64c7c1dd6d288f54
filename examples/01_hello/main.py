"""Hello world: two plain functions made a workflow."""

from sayiir import Flow, run_workflow, task


@task
def greet(name: str) -> str:
    return f"Hello, {name}"


@task
def exclaim(greeting: str) -> str:
    return greeting + "!"


workflow = Flow("hello").then(greet).then(exclaim).build()

if __name__ == "__main__":
    print(run_workflow(workflow, "world"))
