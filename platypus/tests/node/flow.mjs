// Link, exchange, sync, investments, liabilities, a webhook and an error, by Plaid's client for Node.
// Usage: node flow.mjs URL CLIENT_ID; prints what it saw as JSON, and fails where anything is amiss.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import { decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { Configuration, PlaidApi } from "plaid";

const [url, clientId] = process.argv.slice(2);
const client = new PlaidApi(
  new Configuration({
    basePath: url,
    baseOptions: {
      headers: { "PLAID-CLIENT-ID": clientId, "PLAID-SECRET": "any secret will do" },
    },
  }),
);

/** Do what a person, a bank or bad luck would do: Platypus' control API. */
async function control(method, path, body) {
  const headers = { "PLAID-CLIENT-ID": clientId };
  const answer = await fetch(`${url}/platypus${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
  });
  const fields = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(fields));
  return fields;
}

/** Listen for webhooks; `next` resolves to {jwt, body} of the next one with that code. */
async function receive() {
  const received = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      received.push({
        jwt: request.headers["plaid-verification"],
        body: Buffer.concat(parts).toString(),
      });
      response.end();
      server.emit("webhook");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  async function next(code) {
    for (;;) {
      const at = received.findIndex(({ body }) => JSON.parse(body).webhook_code === code);
      if (at >= 0) return received.splice(at, 1)[0];
      await once(server, "webhook");
    }
  }
  return { url: `http://127.0.0.1:${server.address().port}/`, next, close: () => server.close() };
}

/** Verify a webhook as https://plaid.com/docs/api/webhooks/webhook-verification/ says. */
async function verify(jwt, body) {
  const { alg, kid } = decodeProtectedHeader(jwt);
  assert.equal(alg, "ES256");
  const { data } = await client.webhookVerificationKeyGet({ key_id: kid });
  const key = await importJWK(data.key, "ES256");
  const { payload } = await jwtVerify(jwt, key, { algorithms: ["ES256"], maxTokenAge: "5 min" });
  const hash = createHash("sha256").update(body).digest("hex");
  return payload.request_body_sha256 === hash;
}

/** Take every change since a cursor, page by page. */
async function sync(accessToken, cursor, rows, count = 20) {
  let pages = 0;
  for (;;) {
    const { data } = await client.transactionsSync({ access_token: accessToken, cursor, count });
    for (const row of [...data.added, ...data.modified]) rows.set(row.transaction_id, row);
    for (const { transaction_id: gone } of data.removed) rows.delete(gone);
    cursor = data.next_cursor;
    pages += 1;
    if (!data.has_more) return { cursor, pages };
  }
}

/** Hold the rows of a client against what a correct one must hold. */
async function compare(itemId, rows) {
  const { transactions } = await control("GET", `/ledger/${itemId}`);
  const owed = new Map(transactions.map((row) => [row.transaction_id, row]));
  assert.deepEqual(rows, owed);
}

/** Return the error of a refused call: Plaid's own fields are in error.response.data. */
async function refusal(call) {
  const error = await call.then(
    () => assert.fail("the call was answered"),
    (problem) => problem,
  );
  return { status: error.response.status, ...error.response.data };
}

async function main() {
  await control("POST", "/settings", { initial_update_seconds: 0, historical_update_seconds: 0 });
  const hook = await receive();

  const { data: link } = await client.linkTokenCreate({
    client_name: "Flow",
    language: "en",
    country_codes: ["US"],
    user: { client_user_id: "person-1" },
    products: ["transactions", "investments", "liabilities"],
    webhook: hook.url,
  });
  const done = await control("POST", "/link/complete", { link_token: link.link_token });
  const { data: exchanged } = await client.itemPublicTokenExchange({
    public_token: done.public_token,
  });
  const { access_token: accessToken, item_id: itemId } = exchanged;

  const rows = new Map();
  const first = await sync(accessToken, "", rows);
  await compare(itemId, rows);

  const access = { access_token: accessToken };
  const { data: accounts } = await client.accountsGet(access);
  const { data: held } = await client.investmentsHoldingsGet(access);
  const { data: traded } = await client.investmentsTransactionsGet({
    ...access,
    start_date: "2000-01-01",
    end_date: "2100-01-01",
  });
  const securities = new Set(held.securities.map((each) => each.security_id));
  assert.ok(held.holdings.every((each) => securities.has(each.security_id)));
  const { data: owing } = await client.liabilitiesGet(access);

  await control("POST", `/items/${itemId}/changes`, { added: [{ amount: 4.5, name: "Coffee" }] });
  const told = await hook.next("SYNC_UPDATES_AVAILABLE");
  assert.equal(JSON.parse(told.body).item_id, itemId);
  assert.ok(await verify(told.jwt, told.body));
  assert.ok(!(await verify(told.jwt, told.body.replace(itemId, "another"))));
  const [header, claims, signature] = told.jwt.split(".");
  const forged = [header, claims, [...signature].reverse().join("")].join(".");
  await assert.rejects(verify(forged, told.body), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });

  const second = await sync(accessToken, first.cursor, rows);
  await compare(itemId, rows);
  assert.ok([...rows.values()].some((row) => row.name === "Coffee" && row.amount === 4.5));

  await client.sandboxItemResetLogin(access);
  const broken = await hook.next("ERROR");
  assert.ok(await verify(broken.jwt, broken.body));
  const refused = await refusal(client.transactionsSync({ ...access, cursor: second.cursor }));
  const unknown = await refusal(client.itemGet({ access_token: "access-sandbox-of-nobody" }));
  hook.close();

  return {
    pages: first.pages,
    accounts: accounts.accounts.length,
    transactions: rows.size,
    holdings: held.holdings.length,
    trades: traded.total_investment_transactions,
    liabilities: Object.keys(owing.liabilities).filter((kind) => owing.liabilities[kind]).sort(),
    webhook: JSON.parse(broken.body).error.error_code,
    errors: [refused, unknown].map((each) => [each.status, each.error_type, each.error_code]),
  };
}

console.log(JSON.stringify(await main()));
