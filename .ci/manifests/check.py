"""What must hold of the manifests: `check.py FOLDER`, with the built overlays in that folder."""

import fnmatch
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path("manifests")
HOOKS = {"pre": ("PreSync", ["pre"]), "post": ("PostSync", ["post"]), "syncfail": ("SyncFail", ["restore"])}


class Strict(yaml.SafeLoader):
    """A key that is written twice is a mistake; YAML libraries take the last one."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{node.start_mark}: written twice: {sorted(twice)}")
        return super().construct_mapping(node, deep)


def load(path):
    return [document for document in yaml.load_all(path.read_text(), Strict) if document is not None]


def one(path):
    documents = load(path)
    assert len(documents) == 1, f"{path}: {len(documents)} documents"
    return documents[0]


def every_file_is_yaml():
    files = [path for path in ROOT.rglob("*.y*ml") if "target" not in path.parts]
    for path in files:
        load(path)
    return f"{len(files)} files are YAML"


def leaves(value, at=()):
    if isinstance(value, dict) and value:
        for key in value:
            yield from leaves(value[key], (*at, key))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from leaves(item, (*at, str(place)))
    else:
        yield at, value


def prod_and_stage(built):
    sides = []
    for overlay in ("prod", "stage"):
        folder = ROOT / "overlays" / overlay
        assert [path.name for path in folder.iterdir()] == ["kustomization.yaml"], f"{folder} has files of its own"
        kustomization = one(folder / "kustomization.yaml")
        assert kustomization.pop("resources") == ["../../base"], f"{folder}: resources other than the base"
        more = set(kustomization) - {"apiVersion", "kind", "namespace", "replicas", "images"}
        assert not more, f"{folder}: {sorted(more)}"
        objects = load(built / f"{overlay}.yaml")
        sides.append({(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]): dict(leaves(o)) for o in objects})
    prod, stage = sides
    assert prod.keys() == stage.keys(), f"not the same objects: {prod.keys() ^ stage.keys()}"
    differ = []
    for name in prod:
        for at in sorted(prod[name].keys() | stage[name].keys()):
            here, there = prod[name].get(at), stage[name].get(at)
            if here == there:
                continue
            where = f"{name[0]}/{name[2]} {'.'.join(at)}"
            assert at == ("spec", "replicas") or at[-1] == "image", f"prod and stage differ in {where}: {here} {there}"
            differ.append(f"{where} {here}→{there}")
    replicas = {name[2]: (prod[name].get(("spec", "replicas")), stage[name].get(("spec", "replicas"))) for name in prod}
    assert replicas["mongo"] == (1, 0) and replicas["pxbbq-web"] == (3, 0), replicas
    return f"prod and stage differ in {len(differ)} places: " + ", ".join(differ)


def equal(what, value, expected):
    assert value == expected, f"{what} is {value!r}, not {expected!r}"


def practice(name, job, args):
    """What is asked of every Job, so that none of it is lost on the way."""
    spec, pod = job, job["template"]["spec"]
    (container,) = pod["containers"]
    equal(f"{name}: args", container["args"], args)
    equal(f"{name}: backoffLimit", spec["backoffLimit"], 0)
    rules = spec["podFailurePolicy"]["rules"]
    equal(f"{name}: podFailurePolicy", [rule["action"] for rule in rules], ["Ignore", "FailJob"])
    equal(f"{name}: ignored", rules[0]["onPodConditions"], [{"type": "DisruptionTarget", "status": "True"}])
    codes = {"containerName": container["name"], "operator": "In", "values": [1, 2, 3, 4]}
    equal(f"{name}: exit codes", rules[1]["onExitCodes"], codes)
    equal(f"{name}: ttlSecondsAfterFinished", spec["ttlSecondsAfterFinished"], 86400)
    assert spec["activeDeadlineSeconds"] > 2 * pod["terminationGracePeriodSeconds"], f"{name}: no time beside the grace"
    equal(f"{name}: restartPolicy", pod["restartPolicy"], "Never")
    equal(f"{name}: serviceAccountName", pod["serviceAccountName"], "taster")
    equal(f"{name}: token", pod["automountServiceAccountToken"], True)
    annotations = job["template"]["metadata"]["annotations"]
    equal(f"{name}: safe-to-evict", annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"], "false")
    resources = container["resources"]
    equal(f"{name}: limits", resources["limits"], resources["requests"])
    equal(f"{name}: resources", set(resources["limits"]), {"cpu", "memory"})
    secure = container["securityContext"]
    equal(f"{name}: read-only root", secure["readOnlyRootFilesystem"], True)
    equal(f"{name}: escalation", secure["allowPrivilegeEscalation"], False)
    equal(f"{name}: capabilities", secure["capabilities"], {"drop": ["ALL"]})
    secure = pod["securityContext"]
    equal(f"{name}: user", (secure["runAsNonRoot"], secure["runAsUser"]), (True, 65532))
    equal(f"{name}: seccomp", secure["seccompProfile"], {"type": "RuntimeDefault"})
    equal(f"{name}: termination message", container["terminationMessagePolicy"], "FallbackToLogsOnError")
    fields = {env["name"]: env["valueFrom"]["fieldRef"]["fieldPath"] for env in container["env"]
              if "fieldRef" in env.get("valueFrom", {})}
    equal(f"{name}: downward API", fields, {
        "TASTER_NAMESPACE": "metadata.namespace",
        "TASTER_POD": "metadata.name",
        "TASTER_POD_UID": "metadata.uid",
        "TASTER_JOB": "metadata.labels['batch.kubernetes.io/job-name']",
    })
    secrets = [{"secretRef": {"name": secret, "optional": True}} for secret in ("taster-s3", "taster-notify")]
    equal(f"{name}: S3, notify", container["envFrom"], secrets)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    equal(f"{name}: volumes", {volume["name"] for volume in pod["volumes"]}, set(mounts))
    cache = next(env["value"] for env in container["env"] if env["name"] == "TASTER_CACHE")
    assert cache.startswith(mounts["tmp"] + "/"), f"{name}: TASTER_CACHE is not in a volume"
    assert "emptyDir" in next(volume for volume in pod["volumes"] if volume["name"] == "tmp"), f"{name}: /tmp"
    return {**pod, "containers": [{**container, "args": None}]}


def hooks(folder, results):
    waves, pods = {}, []
    for name, (phase, args) in HOOKS.items():
        job = one(folder / f"{name}.yaml")
        annotations = job["metadata"]["annotations"]
        equal(f"{name}: hook", annotations["argocd.argoproj.io/hook"], phase)
        equal(f"{name}: policy", annotations["argocd.argoproj.io/hook-delete-policy"], "BeforeHookCreation")
        assert job["metadata"]["generateName"].endswith("-") and "name" not in job["metadata"], name
        waves[name] = int(annotations["argocd.argoproj.io/sync-wave"])
        pods.append(practice(name, job["spec"], args))
    assert waves["pre"] <= -100 and waves["post"] >= 100, f"other hooks may come before or after: {waves}"
    for name, args in {"abandoned": ["restore", "--abandoned"], "gc": ["gc"]}.items():
        cron = one(folder / f"{name}.yaml")
        equal(f"{name}: hook", cron["metadata"].get("annotations"), None)
        equal(f"{name}: concurrencyPolicy", cron["spec"]["concurrencyPolicy"], "Forbid")
        pods.append(practice(name, cron["spec"]["jobTemplate"]["spec"], args))
    assert all(pod == pods[0] for pod in pods), "the pods of the hooks differ in more than their arguments"
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pods[0]["volumes"] if "persistentVolumeClaim" in volume]
    equal(f"{folder}: claims", claims, results)
    store = yaml.load(one(folder / "config.yaml")["data"]["taster.yaml"], Strict)["store"]
    equal(f"{folder}: store", store.partition(":")[0], "file" if results else "s3")
    return f"{folder}: {len(pods)} Jobs are as they must be, their pods the same"


def server():
    """What is asked of the server: reachable by a token alone, and no more rights than a pod without an account."""
    objects = {o["kind"]: o for path in (ROOT / "serve").glob("*.yaml") for o in load(path)}
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    equal("serve: account token", pod["automountServiceAccountToken"], False)
    args = container["args"]
    assert args[0] == "serve" and "--token-file" in args, f"serve: {args}"
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["tokens"]["readOnly"] and args[args.index("--token-file") + 1].startswith(mounts["tokens"]["mountPath"])
    secure = container["securityContext"]
    equal("serve: read-only root", secure["readOnlyRootFilesystem"], True)
    equal("serve: capabilities", secure["capabilities"], {"drop": ["ALL"]})
    equal("serve: user", pod["securityContext"]["runAsNonRoot"], True)
    ports = {port["name"] for port in container["ports"]}
    equal("serve: probes", {container[p]["httpGet"]["path"] for p in ("livenessProbe", "readinessProbe")}, {"/healthz", "/readyz"})
    equal("serve: port", {port["targetPort"] for port in objects["Service"]["spec"]["ports"]}, ports)
    return "the server wants a token and has no rights in the cluster"


def rights():
    config = yaml.load(one(ROOT / "hooks/config.yaml")["data"]["taster.yaml"], Strict)
    role = load(ROOT / "hooks/role.yaml")[0]
    named = {}
    for rule in role["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], rule
        assert "secrets" not in rule["resources"] and "pods/exec" not in rule["resources"], rule
        for resource in rule["resources"]:
            if "resourceNames" in rule:
                named.setdefault(resource, set()).update(rule["resourceNames"])
            else:
                whole = {"get", "list", "create"} | ({"patch"} if resource == "jobs" else set())
                assert set(rule["verbs"]) <= whole, f"not restricted to a name: {rule}"
    for kind in ("StatefulSet", "Deployment"):
        workloads = config["cluster"]["data"] + config["cluster"]["apps"]
        names = {workload["name"] for workload in workloads if workload["kind"] == kind}
        for resource in (f"{kind.lower()}s", f"{kind.lower()}s/scale"):
            equal(f"role: {resource}", named.pop(resource), names)
    equal("role: leases", named.pop("leases"), {f"taster-{config['app']}"})
    equal("role: names of other resources", named, {})
    return "the Role names the workloads of the configuration and holds no wildcard"


def applications(built):
    files = {path.name for path in (ROOT / "hooks").iterdir()} - {"secret.example.yaml"}
    project = one(ROOT / "argocd/project.yaml")["spec"]
    allowed = {(kind["group"], kind["kind"]) for kind in project["namespaceResourceWhitelist"]}
    places = {(place["name"], place["namespace"]) for place in project["destinations"]}
    taken = {}
    for path in sorted((ROOT / "argocd").glob("*.yaml")):
        if path.stem == "revision":
            continue
        app = one(path)
        if app["kind"] != "Application":
            continue
        spec = app["spec"]
        assert (spec["destination"]["name"], spec["destination"]["namespace"]) in places, path
        objects = []
        for source in spec.get("sources") or [spec["source"]]:
            assert source["repoURL"] in project["sourceRepos"], f"{path}: {source['repoURL']}"
            folder = pathlib.Path(source["path"])
            if "directory" not in source:
                objects += load(built / f"{folder.name}.yaml")
                continue
            # as Argo CD reads it: alternatives in braces, once
            before, _, rest = source["directory"]["include"].partition("{")
            inner, _, after = rest.partition("}")
            patterns = [before + word + after for word in inner.split(",")]
            for name in sorted(path.name for path in folder.iterdir()):
                if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                    taken.setdefault(name, []).append(path.name)
                    objects += load(folder / name)
        kinds = {(o["apiVersion"].rpartition("/")[0], o["kind"]) for o in objects}
        assert kinds <= allowed, f"{path}: the project does not allow {kinds - allowed}"
        hooked = ["argocd.argoproj.io/hook" in o["metadata"].get("annotations", {}) for o in objects]
        equal(f"{path}: hooks", sum(hooked), 3 if path.stem in ("stage", "stage-one-source") else 0)
        if any(hooked):
            assert "automated" not in spec["syncPolicy"], f"{path}: a self-heal runs no hooks"
            assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"], path
            ignored = {difference["kind"]: difference["jsonPointers"] for difference in spec["ignoreDifferences"]}
            equal(f"{path}: ignored", ignored, {kind: ["/spec/replicas"] for kind in ("Deployment", "StatefulSet")})
    equal("files of hooks/ in Applications", set(taken), files)
    assert all(len(apps) == 1 for apps in taken.values()), f"deployed twice: {taken}"
    role, binding = load(ROOT / "argocd/revision.yaml")
    stage = one(ROOT / "argocd/stage.yaml")["metadata"]
    equal("revision: namespace", role["metadata"]["namespace"], stage["namespace"])
    read = {"apiGroups": ["argoproj.io"], "resources": ["applications"], "resourceNames": [stage["name"]], "verbs": ["get"]}
    equal("revision: rules", role["rules"], [read])
    account = one(ROOT / "hooks/serviceaccount.yaml")["metadata"]["name"]
    equal("revision: who", [(s["kind"], s["name"]) for s in binding["subjects"]], [("ServiceAccount", account)])
    return "every file of hooks/ belongs to one Application, and the project allows what they deploy"


def literal(value):
    """A value as Lua."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{literal(key)}]={literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(literal, value)) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return str(value).lower()


RUN = """
local obj, script = {obj}, {script}
-- what Argo CD gives a health check without useOpenLibs: base and table, no string, no io
local check = assert(loadstring(script))
setfenv(check, {{obj = obj, ipairs = ipairs, pairs = pairs, type = type, tostring = tostring, table = table}})
string = nil
getmetatable("").__index = nil
local health = check()
io.write(health.status, "\\0", health.message or "", "\\0", health.aggregateAs or "")
"""


def health():
    script = one(ROOT / "argocd/argocd-cm.yaml")["data"]["resource.customizations.health.batch_Job"]
    cases = one(pathlib.Path(".ci/manifests/jobs.yaml"))
    for case in cases:
        program = RUN.format(obj=literal(case["job"]), script=literal(script))
        ran = subprocess.run(["lua5.1", "-"], input=program.encode(), capture_output=True)
        assert ran.returncode == 0, f"{case['what']}: {ran.stderr.decode()}"
        status, message, aggregate = ran.stdout.decode().split("\0")
        said = {"status": status, "message": message, **({"aggregateAs": aggregate} if aggregate else {})}
        equal(case["what"], said, case["health"])
    return f"the health check says of {len(cases)} Jobs what it should"


def main():
    built = pathlib.Path(sys.argv[1])
    for check in (
        every_file_is_yaml, lambda: prod_and_stage(built), lambda: hooks(ROOT / "hooks", ["taster-results"]),
        lambda: hooks(ROOT / "hooks-s3", []), server, rights, lambda: applications(built), health
    ):
        try:
            print(check())
        except (AssertionError, yaml.YAMLError, KeyError) as error:
            sys.exit(f"manifests: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
