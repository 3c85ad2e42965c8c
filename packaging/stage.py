"""What packaging/build takes from the tree's own words: the packages' changelog and the licences of what is linked in.

usage: stage.py VERSION EPOCH DIRECTORY ARCHITECTURE
"""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys


def changelog(version, epoch):
    """For nfpm; JSON is YAML. CHANGELOG.md itself is in the packages, too: here is only the pointer to it."""
    newest = re.search(r"^## (\S+)", pathlib.Path("CHANGELOG.md").read_text(), flags=re.M)[1]
    if newest != version:
        sys.exit(f"CHANGELOG.md begins with {newest}, Cargo.toml says {version}")
    date = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    changes = [{"note": f"Version {version}. What users notice is in the changelog beside this one."}]
    packager = "The ackbell authors <maintainers@ackbell.invalid>"
    deb = {"urgency": "medium", "distributions": ["stable"]}
    return json.dumps([{"semver": f"{version}-1", "date": date, "packager": packager, "deb": deb, "changes": changes}])


def licences(architecture):
    """Every crate of the release binary, and each licence text once."""
    target = {"amd64": "x86_64", "arm64": "aarch64"}[architecture] + "-unknown-linux-gnu"
    tree = ["cargo", "tree", "--locked", "--target", target, "--edges", "normal", "--prefix", "none", "--format", "{p}"]
    linked = {tuple(line.split()[:2]) for line in subprocess.check_output(tree, text=True).splitlines() if line}
    metadata = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    packages = json.loads(subprocess.check_output(metadata, text=True))["packages"]
    listed, texts = [], {}
    for package in sorted(packages, key=lambda p: (p["name"], p["version"])):
        if (package["name"], "v" + package["version"]) not in linked or package["source"] is None:
            continue
        name = f"{package['name']} {package['version']}"
        listed.append(f"{name}: {package['license'] or 'see its licence file'}")
        home = pathlib.Path(package["manifest_path"]).parent
        for file in sorted(home.glob("*")):
            if re.match(r"(LICEN[SC]E|COPYING|NOTICE)", file.name, flags=re.I) and file.is_file():
                text = file.read_text(errors="replace").strip()
                texts.setdefault(hashlib.sha256(text.encode()).digest(), (text, []))[1].append(name)
    parts = ["Linked into ackbell:\n\n" + "\n".join(listed)]
    parts += [", ".join(names) + ":\n\n" + text for text, names in texts.values()]
    return ("\n\n" + "-" * 80 + "\n\n").join(parts) + "\n"


def main():
    version, epoch, directory, architecture = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
    (directory / "chglog.yml").write_text(changelog(version, epoch) + "\n")
    (directory / "third-party.txt").write_text(licences(architecture))


main()
