// Plaid's link-initialize.js as Platypus emulates it: `window.Plaid.create` and `createEmbedded`, as
// https://plaid.com/docs/link/web/ has them. Link's panes are pages of Platypus, in a frame; each
// page says what happened until then and how Link would end if it ended now.
(() => {
  "use strict";

  // Where this file came from: written by the server, for the address may say cdn.plaid.com.
  const PLATYPUS = new URL(window.PLATYPUS_URL || "http://127.0.0.1:8080").origin;
  const PLAIDS_OWN = "https://cdn.plaid.com/link/v2/stable/link-initialize.js";
  const EMPTY = "/link/v2/stable/link.html";
  const TITLE = "Plaid Link, emulated by Platypus";
  const UNKNOWN = {
    exit: {
      error: null,
      metadata: { institution: null, status: "requires_credentials", link_session_id: "", request_id: "" },
    },
  };

  // One frame with a page of Platypus; `hear` gets what that page says, and nobody else's words.
  class Frame {
    constructor(home, style, hear) {
      this.element = document.createElement("iframe");
      this.element.title = TITLE;
      Object.assign(this.element.style, { border: "0", width: "100%", height: "100%", ...style });
      this.listen = (event) => {
        if (event.source === this.element.contentWindow && event.origin === PLATYPUS) {
          hear(event.data);
        }
      };
      window.addEventListener("message", this.listen);
      this.show(EMPTY);
      home.append(this.element);
    }

    show(path, fields = {}) {
      const query = new URLSearchParams({ ...fields, origin: window.location.origin });
      this.element.src = `${PLATYPUS}${path}?${query}`;
    }

    remove() {
      window.removeEventListener("message", this.listen);
      this.element.remove();
    }
  }

  // One passage through Link: tells every event once, and the end once.
  class Passage {
    constructor(config, ended) {
      this.config = config;
      this.ended = ended;
      this.told = 0;
      this.ending = UNKNOWN;
      this.id = null;
    }

    hear(news) {
      this.id = news.link_session_id;
      this.ending = news.ending;
      news.events.forEach((each, place) => {
        if (news.first + place >= this.told) {
          this.told = news.first + place + 1;
          this.tell(each);
        }
      });
      if (news.over) {
        this.end();
      }
    }

    tell(event) {
      this.config.onEvent?.(event.name, event.metadata);
    }

    end() {
      const { event, exit, success } = this.ending;
      this.ended();
      if (event) {
        this.tell(event);
      }
      if (success) {
        this.config.onSuccess?.(success.public_token, success.metadata);
      } else {
        this.config.onExit?.(exit.error, exit.metadata);
      }
    }

    // Ends at once, for whoever asks may be gone in a moment; the server learns of it by itself.
    abandon() {
      if (this.id !== null) {
        navigator.sendBeacon(`${PLATYPUS}/link/walks/${this.id}/leave`);
      }
      this.end();
    }
  }

  // What `Plaid.create` returns the public half of: Link as a dialog over the page.
  class Dialog {
    constructor(config) {
      this.config = config;
      this.loaded = false;
      this.passage = null;
      this.last = null; // the id of the passage before, of which a page may still speak
      this.element = document.createElement("dialog");
      this.element.setAttribute("aria-label", TITLE);
      Object.assign(this.element.style, {
        width: "min(100vw, 27rem)", height: "min(100dvh, 45rem)", maxWidth: "100vw", maxHeight: "100dvh",
        padding: "0", border: "0", borderRadius: "0.5rem", overflow: "hidden",
      });
      this.element.addEventListener("cancel", (event) => {
        event.preventDefault();
        this.exit();
      });
      // A browser may close a dialog against its page's will; then Link has ended.
      this.element.addEventListener("close", () => {
        if (!this.element.open) {
          this.passage?.abandon();
        }
      });
      (document.body ?? document.documentElement).append(this.element);
      this.frame = new Frame(this.element, { display: "block" }, (news) => this.hear(news));
    }

    hear(news) {
      if (news.platypus === "ready" && !this.loaded) {
        this.loaded = true;
        this.config.onLoad?.();
        if (this.passage !== null && this.passage.id === null) {
          this.begin();
        }
      } else if (news.platypus === "news" && news.link_session_id !== this.last) {
        this.passage?.hear(news);
        leaveFor(news.go);
      }
    }

    open() {
      if (this.passage === null && this.frame !== null) {
        this.passage = new Passage(this.config, () => this.close());
        if (this.loaded) {
          this.begin();
        }
      }
    }

    begin() {
      this.frame.show(EMPTY, entry(this.config));
      this.reveal();
    }

    // Goes on with a passage that began in a frame of its own.
    adopt(passage) {
      this.passage = passage;
      this.frame.show(`/link/walks/${passage.id}`);
      this.reveal();
    }

    reveal() {
      this.element.showModal();
      this.frame.element.focus();
    }

    exit(options) {
      if (this.passage === null) {
        return;
      }
      if (options?.force || this.passage.id === null) {
        this.passage.abandon();
      } else {
        this.frame.show(`/link/walks/${this.passage.id}/leave`);
      }
    }

    close() {
      this.last = this.passage?.id;
      this.passage = null;
      this.element.close();
      this.frame?.show(EMPTY);
    }

    destroy() {
      this.passage = null;
      this.frame?.remove();
      this.frame = null;
      this.element.remove();
    }
  }

  // What `Plaid.createEmbedded` returns the public half of: the choice of a bank as a part of the
  // page; from there Link goes on as a dialog.
  class Embedded {
    constructor(config, target) {
      this.config = config;
      this.dialog = new Dialog({ ...config, onLoad: undefined });
      this.loaded = false;
      this.frame = new Frame(target, { minHeight: "22rem" }, (news) => this.hear(news));
      if (config.receivedRedirectUri) {
        this.dialog.open();
      }
    }

    hear(news) {
      if (news.platypus === "ready" && !this.loaded) {
        this.loaded = true;
        this.config.onLoad?.();
        this.begin();
      } else if (news.platypus === "news" && this.passage !== null) {
        this.passage.hear(news);
        if (this.passage !== null && news.pane !== "institution") {
          this.dialog.adopt(this.passage);
          this.passage = null;
          this.frame.show(EMPTY);
        }
      }
    }

    begin() {
      this.passage = new Passage(this.config, () => this.end());
      this.frame?.show(EMPTY, { token: this.config.token, embedded: "1" });
    }

    end() {
      const wentOn = this.passage === null;
      this.passage = null;
      this.dialog.close();
      if (wentOn) {
        this.begin();
      }
    }

    destroy() {
      this.passage = null;
      this.frame?.remove();
      this.frame = null;
      this.dialog.destroy();
    }
  }

  function entry(config) {
    const received = config.receivedRedirectUri;
    return received ? { token: config.token, received } : { token: config.token };
  }

  // The whole page goes to the bank's; it comes back to the link token's redirect_uri.
  function leaveFor(path) {
    if (path) {
      window.location.assign(new URL(path, PLATYPUS));
    }
  }

  function checked(config) {
    if (!config?.token) {
      throw new Error("Plaid.create needs a config with a token; see /link/token/create");
    }
    return config;
  }

  window.Plaid = {
    create(config) {
      const dialog = new Dialog(checked(config));
      return {
        open: () => dialog.open(),
        exit: (options) => dialog.exit(options),
        destroy: () => dialog.destroy(),
        submit: () => console.warn("Platypus does not emulate Layer: submit() does nothing"),
      };
    },
    createEmbedded(config, target) {
      const where = typeof target === "string" ? document.querySelector(target) : target;
      const embedded = new Embedded(checked(config), where);
      return { destroy: () => embedded.destroy() };
    },
  };

  // react-plaid-link loads Plaid's own address unless a script with it is there already. This one
  // is: of a type that no browser loads or runs.
  if (document.querySelector(`script[src="${PLAIDS_OWN}"]`) === null) {
    const mark = document.createElement("script");
    mark.type = "text/plain";
    mark.src = PLAIDS_OWN;
    document.head.append(mark);
  }
})();
