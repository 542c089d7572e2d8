"""A manifest for KubeRay: a RayJob, which makes a Ray cluster of pods for the same launch as everywhere."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweep.exit_codes import SOME_FAILED

STUDIES = "/studies"  # where the users' own files are found in the head's pod


@dataclass(frozen=True, kw_only=True)
class KubeRayJob:
    """What a manifest asks Kubernetes for.

    workers: pods of `gpus` GPUs, `cpus` CPUs and `memory` (16Gi, say) each. retries: further clusters, one after the
    other, for a launch that was interrupted. secret: of environment variables for all pods, such as a bucket's keys.
    claims: volume claim -> the path at which all pods have it. files: the users' own files, name -> text.
    """

    name: str
    command: Sequence[str]
    made_by: str
    image: str
    workers: int = 1
    gpus: int = 0
    cpus: int = 4
    memory: str = "16Gi"
    retries: int = 6
    secret: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def manifest(self) -> str:
        """The manifest, for kubectl."""
        files = f"{self.name}-studies" if self.files else ""
        worker = {"cpu": str(self.cpus), "memory": self.memory}
        if self.gpus:
            worker["nvidia.com/gpu"] = str(self.gpus)
        job = _JOB.format(
            name=self.name,
            entrypoint=json.dumps(f"{shlex.join(self.command)} || [ $? -le {SOME_FAILED} ]"),
            retries=self.retries,
            version=importlib.metadata.version("ray"),
            workers=self.workers,
            head=textwrap.indent(self._pod("ray-head", {"cpu": "2", "memory": "8Gi"}, files), " " * 10),
            worker=textwrap.indent(self._pod("ray-worker", worker, ""), " " * 10),
        )
        about = "# kubectl create -f starts it; sweep cancel --wait, and then kubectl delete -f, end it.\n"
        return f"# Made by: {self.made_by}\n{about}" + (f"{self._config_map(files)}---\n" if files else "") + job

    def _pod(self, name: str, resources: Mapping[str, str], files: str) -> str:
        """The specification of a pod."""
        amounts = "".join(f"\n      {resource}: {json.dumps(amount)}" for resource, amount in resources.items())
        mounts = [(f"claim-{claim}", path) for claim, path in self.claims.items()]
        mounts += [("studies", STUDIES)] if files else []
        lines = f"""\
containers:
- name: {name}
  image: {json.dumps(self.image)}
  resources:
    requests:{amounts}
    limits:{amounts}
"""
        if self.secret:
            lines += f"  envFrom:\n  - secretRef:\n      name: {self.secret}\n"
        if mounts:
            lines += "  volumeMounts:\n"
            lines += "".join(f"  - name: {volume}\n    mountPath: {path}\n" for volume, path in mounts)
            lines += "volumes:\n"
            for claim in self.claims:
                lines += f"- name: claim-{claim}\n  persistentVolumeClaim:\n    claimName: {claim}\n"
            lines += f"- name: studies\n  configMap:\n    name: {files}\n" if files else ""
        return lines

    def _config_map(self, name: str) -> str:
        """The users' own files; the workers get their text with each pack."""
        texts = "".join(f"  {file}: |2\n{textwrap.indent(text, '    ')}" for file, text in self.files.items())
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{texts}"


_JOB = """\
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: {name}
spec:
  entrypoint: {entrypoint}
  # The head gets the entrypoint as it stands; with a submitter's pod between, quotes would be lost.
  submissionMode: HTTPMode
  # Run by a shell, which ends with 0 where the answer of the launch is final: all finished, some trials failed (3), a
  # bad command line (2), a bug (1). A launch that was interrupted (75), or whose driver was killed, is tried again in a
  # new cluster, where it does what is left. So a job that succeeded may have failed trials: `sweep status` shows them.
  backoffLimit: {retries}
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: 600
  # A job that is stopped has this long to save its work; by default 3 seconds.
  runtimeEnvYAML: |
    env_vars:
      RAY_JOB_STOP_WAIT_TIME_S: "120"
  rayClusterSpec:
    rayVersion: "{version}"
    # Closed to whoever has not the token that KubeRay makes (KubeRay 1.5.1 or newer).
    authOptions:
      mode: token
    headGroupSpec:
      rayStartParams:
        num-cpus: "0" # no pack runs beside the driver, and none takes its memory
        num-gpus: "0"
      template:
        spec:
{head}    workerGroupSpecs:
    - groupName: workers
      replicas: {workers}
      minReplicas: {workers}
      maxReplicas: {workers}
      rayStartParams: {{}}
      template:
        spec:
{worker}"""
