// An app as its author would write it: react-plaid-link, and nothing that knows of Platypus.
import React, { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { PlaidEmbeddedLink, usePlaidLink } from "react-plaid-link";

const query = new URLSearchParams(window.location.search);

// Callbacks are noted where a page that goes to a bank and back still has them.
function note(name) {
  return (...given) => {
    const heard = JSON.parse(sessionStorage.getItem("heard") ?? "[]");
    sessionStorage.setItem("heard", JSON.stringify([...heard, [name, ...given]]));
  };
}

const callbacks = {
  onSuccess: note("onSuccess"),
  onExit: note("onExit"),
  onEvent: note("onEvent"),
  onLoad: note("onLoad"),
};

function token() {
  if (query.has("token")) {
    localStorage.setItem("token", query.get("token"));
  }
  return localStorage.getItem("token");
}

function Connect({ token }) {
  const came = query.has("oauth_state_id");
  const receivedRedirectUri = came ? window.location.href : undefined;
  const { open, exit, ready } = usePlaidLink({ token, receivedRedirectUri, ...callbacks });
  return (
    <>
      <button disabled={!ready} onClick={() => open()}>Connect a bank</button>
      <button id="leave" onClick={() => exit()}>Leave</button>
    </>
  );
}

function App() {
  const [shown, setShown] = useState(true);
  const [given, setGiven] = useState(token());
  window.app = { unmount: () => setShown(false), giveToken: setGiven };
  if (query.has("embedded")) {
    return shown && <PlaidEmbeddedLink token={given} {...callbacks} style={{ height: "400px" }} />;
  }
  return shown && <Connect token={given} />;
}

createRoot(document.getElementById("root")).render(
  query.has("strict") ? <StrictMode><App /></StrictMode> : <App />,
);
