digest() {
  if [ -d "$1" ]; then
    (cd "$1" && find -L . -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum)
  else
    sha256sum < "$1"
  fi | cut -d ' ' -f 1
}
verdict() { printf '%s %s\n' "$1" "$2" >> "$root/verdicts"; printf 'artifact %s: %s\n' "$1" "$2"; }
differs() { verdict "$1" differs; exit 5; }
is_same() { [ -e "$2" ] && [ "$(digest "$2")" = "$3" ] && verdict "$1" identical; }
expect() {
  [ -e "$2" ] && [ "$(digest "$2")" = "$3" ] && return
  printf '%s: its digest is not sha256:%s\n' "$1" "$3" >&2
  exit 1
}
# Fetches a file of the server of PEDIGREE_SERVER.
served() {
  set -- "$1" "${PEDIGREE_SERVER:-http://127.0.0.1:8080}/api/2.0/mlflow-artifacts/artifacts/$2"
  {
    if [ -n "${PEDIGREE_TOKEN_FILE:-}" ]; then
      printf 'Authorization: Bearer %s\n' "$(cat -- "$PEDIGREE_TOKEN_FILE")"
    fi
    if [ -n "${PEDIGREE_TENANT:-}" ]; then printf 'x-pedigree-tenant: %s\n' "$PEDIGREE_TENANT"; fi
  } | curl -fsS --globoff --proto =http,https ${PEDIGREE_CA_CERT:+--cacert "$PEDIGREE_CA_CERT"} \
    -H @- -o "$1" "$2"
}
# Ends the recipe if a link, as of a repository, leads a path out of the folder of the recipe.
inner() {
  part=${1%/*}
  while [ ! -d "$part" ]; do part=${part%/*}; done
  case $(cd -P -- "$part" && pwd)/ in
    "$(cd -P -- "$root" && pwd)"/*) ;;
    *)
      printf '%s: a link leads out of the folder of the recipe\n' "$1" >&2
      exit 1
      ;;
  esac
}
room() { inner "$1" && mkdir -p -- "${1%/*}" && rm -rf -- "$1"; }
place() { room "$2" && cp -RL -- "$1" "$2"; }
plain_git() {
  GIT_ALLOW_PROTOCOL=file:git:http:https:ssh git -c core.hooksPath=/dev/null "$@"
}
work_tree() {
  plain_git -C "$1" cat-file -e "$2^{commit}" 2> /dev/null ||
    plain_git -C "$1" fetch -q origin "$2"
  plain_git -C "$1" worktree add -q --detach "$3" "$2"
}
find_python() {
  for found in ${PYTHON:+"$PYTHON"} "python${1%.*}" python3 python; do
    version=$("$found" -c 'import sys; print(sys.version.split()[0])' 2> /dev/null) || continue
    [ "${version%.*}" = "${1%.*}" ] || continue
    [ "$version" = "$1" ] || printf 'Python is %s, and was %s\n' "$version" "$1" >&2
    printf '%s' "$found"
    return
  done
  printf 'Python %s is needed: set PYTHON to its path\n' "${1%.*}" >&2
  return 1
}
environment() {
  python=$(find_python "$2") || exit 4
  if grep -q '^[^#]' "$3"; then
    "$python" -m venv "$1"
    "$1/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$3" || {
      printf '%s: the packages of environment.lock cannot be installed\n' "$4" >&2
      exit 4
    }
  else
    "$python" -m venv --without-pip "$1"
  fi
}
