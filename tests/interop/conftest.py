"""Programs of the operating system that the tests drive."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.daemon import installed

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """``program("curl")`` gives a function that runs it and fails with what it printed when it fails."""

    def find(name: str) -> Program:
        path = installed(name)

        def run(
            *arguments: object, ok: tuple[int, ...] = (0,), stdin: bytes = b"", **environ: str
        ) -> subprocess.CompletedProcess[bytes]:
            ran = subprocess.run(
                [path, *map(str, arguments)],
                input=stdin,
                capture_output=True,
                timeout=60,
                cwd=tmp_path,
                env={**os.environ, "HOME": str(tmp_path), **environ},
                check=False,
            )
            assert ran.returncode in ok, f"{name} ended with {ran.returncode}\n{ran.stdout!r}\n{ran.stderr.decode()}"
            return ran

        return run

    return find


@pytest.fixture(scope="session")
def node_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Callable[..., dict[str, Any]]]:
    """``node_script("package@1", source)``: a function that runs this module of node's, with its argument as JSON on
    the standard input and what it prints as the result. The package is installed once a run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
            pytest.fail("node and npm are not installed")
        pytest.skip("node and npm are not installed")
    homes: dict[str, Path] = {}

    def prepare(package: str, source: str) -> Callable[..., dict[str, Any]]:
        if package not in homes:
            home = tmp_path_factory.mktemp("node")
            install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", package]
            subprocess.run(install, check=True, timeout=120, capture_output=True)
            homes[package] = home
        script = homes[package] / "script.mjs"
        script.write_text(source)

        def run(argument: Any, **environ: str) -> dict[str, Any]:
            ran = subprocess.run(
                [node, script],
                input=json.dumps(argument).encode(),
                capture_output=True,
                timeout=60,
                env={**os.environ, **environ},
                check=False,
            )
            assert ran.returncode == 0, ran.stderr.decode()
            result: dict[str, Any] = json.loads(ran.stdout)
            return result

        return run

    return prepare


NODEMAILER = """
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
const [transport, message] = JSON.parse(readFileSync(0, 'utf8'));
const mailer = createRequire(import.meta.url)('nodemailer').createTransport(transport);
try {
  console.log(JSON.stringify(await mailer.sendMail(message)));
} finally {
  mailer.close();
}
"""


@pytest.fixture(scope="session")
def nodemailer(node_script: Callable[[str, str], Callable[..., dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
    """``nodemailer(transport, message)``: what nodemailer says when it sends this."""
    run = node_script("nodemailer@7", NODEMAILER)
    return lambda transport, message, **environ: run([transport, message], **environ)


@pytest.fixture(scope="session")
def mailpit_clients(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, list[list[Any]]], list[Any]]:
    """``mailpit_clients("api" or "cypress", url, [[method, *arguments], ...])``: what mailpit-api or cypress-mailpit,
    unmodified, return of each call, or ``{"failed": message}``. Installed once a run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("MOCKMAIL_REQUIRE_PROGRAMS"):
            pytest.fail("node and npm are not installed")
        pytest.skip("node and npm are not installed")
    home = tmp_path_factory.mktemp("mailpit")
    # Cypress itself, which cypress-mailpit wants as a peer, would bring a browser.
    packages = ["mailpit-api@2", "cypress-mailpit@2"]
    install = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", "--legacy-peer-deps"]
    subprocess.run([*install, *packages], check=True, timeout=120, capture_output=True)
    script = home / "call.mjs"
    script.write_text(MAILPIT_SCRIPT)

    def call(client: str, url: str, calls: list[list[Any]]) -> list[Any]:
        ran = subprocess.run(
            [node, script],
            input=json.dumps([client, url, calls]).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        results: list[Any] = json.loads(ran.stdout)
        return results

    return call


MAILPIT_SCRIPT = """
import { readFileSync } from "node:fs";
const [kind, url, calls] = JSON.parse(readFileSync(0, "utf8"));
let client;
if (kind === "api") {
  const { MailpitClient } = await import("mailpit-api");
  client = new MailpitClient(url);
} else {
  // As much of Cypress as the commands use: requests that fail for any status but 2xx and 3xx.
  const chain = (promise) => ({ then: (next) => chain(promise.then((value) => unwrap(next(value)))), promise });
  const unwrap = (value) => (value && value.promise ? value.promise : value);
  globalThis.Cypress = { expose: () => url, config: () => 4000 };
  globalThis.cy = {
    env: () => chain(Promise.resolve({})),
    wrap: (value) => chain(Promise.resolve(value)),
    wait: (ms) => chain(new Promise((resolve) => setTimeout(resolve, ms))),
    request: ({ method, url, body, qs }) => chain((async () => {
      const query = qs ? "?" + new URLSearchParams(qs) : "";
      const headers = { "content-type": "application/json" };
      const sent = body === undefined ? {} : { body: JSON.stringify(body), headers };
      const response = await fetch(url + query, { method, ...sent });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status}: ${text}`);
      const json = (response.headers.get("content-type") || "").startsWith("application/json");
      return { status: response.status, body: json ? JSON.parse(text) : text };
    })()),
  };
  const { MailpitCommands } = await import("./node_modules/cypress-mailpit/dist/src/MailpitCommands.js");
  client = new MailpitCommands();
}
const results = [];
// All that a user of the client may call, by the client's own class.
client.methods = () => Object.getOwnPropertyNames(Object.getPrototypeOf(client));
const picked = ({ result, pick }) => pick.reduce((at, key) => at[key], results[result]);
const filled = (value) => {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(filled);
  if (value.result !== undefined) return picked(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
};
for (const [method, ...given] of calls) {
  try {
    let value = client[method](...given.map(filled));
    value = await (value && value.promise ? value.promise : value);
    if (value instanceof Blob) {
      value = { type: value.type, base64: Buffer.from(await value.arrayBuffer()).toString("base64") };
    }
    results.push(value === undefined ? null : value);
  } catch (error) {
    results.push({ failed: error.message });
  }
}
console.log(JSON.stringify(results));
"""
