// The link of `bankloom signin` carries its code behind a #, which no browser sends to a server or a proxy.
const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, "", location.pathname);
  const field = document.getElementById("given");
  field.value = decodeURIComponent(code);
  field.form.requestSubmit();
}
