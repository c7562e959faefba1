// An app without a framework: what https://plaid.com/docs/link/web/ shows.
const query = new URLSearchParams(window.location.search);

function note(name) {
  return (...given) => {
    const heard = JSON.parse(sessionStorage.getItem("heard") ?? "[]");
    sessionStorage.setItem("heard", JSON.stringify([...heard, [name, ...given]]));
  };
}

if (query.has("token")) {
  localStorage.setItem("token", query.get("token"));
}
window.handler = Plaid.create({
  token: localStorage.getItem("token"),
  receivedRedirectUri: query.has("oauth_state_id") ? window.location.href : null,
  onSuccess: note("onSuccess"),
  onExit: note("onExit"),
  onEvent: note("onEvent"),
  onLoad: note("onLoad"),
});
document.getElementById("connect").addEventListener("click", () => window.handler.open());
