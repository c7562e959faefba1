// What every page of Platypus' Link does by itself: tell the page around it what happened, put the
// focus where reading starts, let Escape leave, and open a bank's page in a window of its own.
(() => {
  "use strict";

  const origin = document.body.dataset.origin;
  const element = document.getElementById("news");
  const news = element === null ? null : JSON.parse(element.textContent);
  const framed = window.parent !== window;

  if (news !== null && framed) {
    window.parent.postMessage(news, origin);
  } else if (news !== null && news.go) {
    window.location.replace(news.go);
  } else if (news !== null && window.opener !== null) {
    comeBack();
  }
  putFocus();
  document.addEventListener("keydown", leaveByEscape);
  for (const form of document.querySelectorAll("form[data-window]")) {
    form.addEventListener("submit", () => window.open(form.dataset.window, "platypus-bank", "popup,width=480,height=720"));
  }
  window.addEventListener("message", lookAgain);

  // A bank's page that is done with: the frame that opened it goes on, and its window closes.
  function comeBack() {
    if (document.body.dataset.done !== undefined) {
      window.opener.postMessage({ platypus: "back" }, window.location.origin);
      window.close();
    }
  }

  function lookAgain(event) {
    if (event.origin === window.location.origin && event.data.platypus === "back") {
      window.location.reload();
    }
  }

  // A page embedded in another takes the focus only from itself.
  function putFocus() {
    const [target] = ["[aria-invalid]", "#error", "h1[tabindex]"]
      .map((each) => document.querySelector(each))
      .filter((each) => each !== null);
    if (target !== undefined && (document.body.dataset.embedded === undefined || document.hasFocus())) {
      target.focus();
    }
  }

  function leaveByEscape(event) {
    const way = document.querySelector("[data-escape]");
    if (event.key === "Escape" && way !== null) {
      way.click();
    }
  }
})();
