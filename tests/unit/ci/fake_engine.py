"""Stands for `docker`, `kind` and `skopeo` (by the name it is called): records the call, keeps containers in a file.

$FAKE_ENGINE is a folder: calls.jsonl (one list of words per call, with stdin), state.json (what exists).
"""

import json
import os
import sys

FOLDER = os.environ["FAKE_ENGINE"]
STATE = f"{FOLDER}/state.json"


def main() -> None:
    program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
    state = {"containers": {}, "networks": {}, "made": 0}
    if os.path.exists(STATE):
        with open(STATE) as file:
            state = json.load(file)
    stdin = sys.stdin.read() if "--interactive" in words else ""
    with open(f"{FOLDER}/calls.jsonl", "a") as calls:
        calls.write(json.dumps({"words": [program, *words], "stdin": stdin, "cwd": os.getcwd()}) + "\n")
    for prefix, answer in json.loads(os.environ.get("FAKE_FAILURES", "{}")).items():
        if " ".join([program, *words]).startswith(prefix):
            sys.exit(answer)
    {"docker": docker, "kind": kind, "skopeo": lambda *_: None}[program](words, state)
    with open(STATE, "w") as file:
        json.dump(state, file)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def add(state: dict, name: str, *, labels: dict | None = None, mounts: dict | None = None, network: str) -> None:
    state["made"] += 1
    state["containers"][name] = {
        "Id": f"{state['made']:064d}",
        "Name": f"/{name}",
        "State": {"Running": True},
        "Config": {"Labels": labels or {}},
        "Mounts": [{"Destination": inside, "Source": outside} for inside, outside in (mounts or {}).items()],
        "NetworkSettings": {"Networks": {network: {}}},
    }


def docker(words: list[str], state: dict) -> None:
    match words:
        case ["info", "--format", "{{json .}}"]:
            print(json.dumps({"CgroupVersion": "2", "MemoryLimit": True, "PidsLimit": True, "CPUShares": True}))
        case ["info", *_]:
            print("28.2.2")
        case ["container", "inspect", name]:
            if name not in state["containers"]:
                sys.exit(f"Error response from daemon: No such container: {name}")
            print(json.dumps([state["containers"][name]]))
        case ["network", "inspect", name]:
            if name not in state["networks"]:
                sys.exit(f"Error response from daemon: network {name} not found")
            print(json.dumps([{"Name": name, **state["networks"][name]}]))
        case ["network", "connect", name, container]:
            state["containers"][container]["NetworkSettings"]["Networks"][name] = {}
        case ["network", "rm", name]:
            del state["networks"][name]
        case ["run", *rest]:
            label, _, value = option(rest, "--label").partition("=")
            add(state, option(rest, "--name"), labels={label: value}, network="bridge")
        case ["start", name]:
            state["containers"][name]["State"]["Running"] = True
        case ["rm", *_, name]:
            del state["containers"][name]
        case ["load", *_]:
            print("Loaded image: localhost/cronlift/legacy:abc")


def kind(words: list[str], state: dict) -> None:
    match words:
        case ["create", "cluster", *rest]:
            state["networks"]["kind"] = {
                "IPAM": {"Config": [{"Gateway": "fc00:f853:ccd:e793::1"}, {"Gateway": "172.18.0.1"}]},
                "Containers": {},
            }
            mounts = {"/etc/cronlift": os.path.join(os.getcwd(), ".cronlift/kind")}
            add(state, f"{option(rest, '--name')}-control-plane", mounts=mounts, network="kind")
        case ["delete", "cluster", *rest]:
            state["containers"].pop(f"{option(rest, '--name')}-control-plane", None)
        case ["get", "kubeconfig", *_]:
            print("apiVersion: v1\nkind: Config\ncurrent-context: kind-cronlift")


main()
