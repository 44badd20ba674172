// An intake in another language, after the recipe in schemas/README.md. Node.js 18 alone:
// Avro by hand, HPKE (RFC 9180, base mode) of node:crypto's parts.
//
//   node intake.mjs request < {"recipient", "signer", "event", "person"}    the record, in hex
//   node intake.mjs check < schemas/vectors.json    what it makes of each vector, as JSON

import {
  createCipheriv, createDecipheriv, createHmac, createPrivateKey, createPublicKey,
  diffieHellman, generateKeyPairSync, sign, verify,
} from "node:crypto";
import { readFileSync } from "node:fs";

const hex = (text) => Buffer.from(text, "hex");
const join = (...parts) => Buffer.concat(parts.map((it) => Buffer.from(it)));

// Avro: what request_received and its sealed part are made of.

function long(value) {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n)); // zigzag
  const bytes = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
const bytes = (value) => join(long(value.length), value);
const string = (value) => bytes(Buffer.from(value, "utf8"));
const array = (items, one) =>
  items.length ? join(long(items.length), ...items.map(one), long(0)) : long(0);

const FRAME = hex("00000000c6"); // 0x00, then the id of request_received.v4
const SEALED_FRAME = hex("00000000c7"); // the id of request_received.sealed.v4

const clearOf = (event) => join(
  string(event.case), array(event.claims, string), long(event.received_at),
  string(event.intake), long(event.level), string(event.key), string(event.purpose ?? ""),
);
const plaintextOf = (person) => join(
  SEALED_FRAME, string(person.name), string(person.language),
  array(person.identifiers, (it) => join(bytes(hex(it.tag)), string(it.kind), string(it.value))),
  array(person.levels, long),
  array(person.changes ?? [], (it) => join(
    string(it.datum), string(it.to), string(it.was), string(it.how ?? "replace"),
  )),
  string(person.evidence ?? ""),
);

// Keys: raw bytes behind the DER that node:crypto reads (RFC 8410).

const DER = { x25519: "6e", ed25519: "70" };
const privateKey = (raw, type) => createPrivateKey({
  key: join(hex(`302e020100300506032b65${DER[type]}04220420`), raw), format: "der", type: "pkcs8",
});
const publicKey = (raw, type) => createPublicKey({
  key: join(hex(`302a300506032b65${DER[type]}032100`), raw), format: "der", type: "spki",
});
const raw = (key) => key.export({ format: "der", type: "spki" }).subarray(-32);

// HPKE: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002.

const KEM = join("KEM", hex("0020"));
const SUITE = join("HPKE", hex("002000010002"));
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();
const extract = (suite, salt, label, ikm) => hmac(salt, join("HPKE-v1", suite, label, ikm));
const expand = (suite, prk, label, info, size) =>
  hmac(prk, join([0, size], "HPKE-v1", suite, label, info, [1])).subarray(0, size);

function keyAndNonce(secret, enc, recipient, info) {
  const shared = expand(
    KEM, extract(KEM, "", "eae_prk", secret), "shared_secret", join(enc, recipient), 32,
  );
  const context = join(
    [0], extract(SUITE, "", "psk_id_hash", ""), extract(SUITE, "", "info_hash", info),
  );
  const prk = extract(SUITE, shared, "secret", "");
  return [expand(SUITE, prk, "key", context, 32), expand(SUITE, prk, "base_nonce", context, 12)];
}

function seal(recipient, info, plaintext) {
  const own = generateKeyPairSync("x25519");
  const enc = raw(own.publicKey);
  const secret = diffieHellman({
    privateKey: own.privateKey, publicKey: publicKey(recipient, "x25519"),
  });
  const cipher = createCipheriv("aes-256-gcm", ...keyAndNonce(secret, enc, recipient, info));
  return join(enc, cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

function open(recipient, info, sealed) { // what the pipeline does; an intake cannot
  const own = privateKey(recipient, "x25519");
  const enc = sealed.subarray(0, 32);
  const secret = diffieHellman({ privateKey: own, publicKey: publicKey(enc, "x25519") });
  const keys = keyAndNonce(secret, enc, raw(createPublicKey(own)), info);
  const decipher = createDecipheriv("aes-256-gcm", ...keys).setAuthTag(sealed.subarray(-16));
  return join(decipher.update(sealed.subarray(32, -16)), decipher.final());
}

// The two commands.

function request({ recipient, signer, event, person }) {
  const clear = clearOf(event);
  const signed = join(clear, bytes(seal(hex(recipient), clear, plaintextOf(person))));
  const signature = sign(null, signed, privateKey(hex(signer), "ed25519"));
  return join(FRAME, signed, bytes(signature));
}

function check({ recipient, signer, vectors }) {
  return vectors.map((it) => {
    const sealed = hex(it.sealed);
    const signed = join(clearOf(it.event), bytes(sealed));
    const signature = sign(null, signed, privateKey(hex(signer.private), "ed25519"));
    const sender = publicKey(hex(signer.public), "ed25519");
    return {
      clear: clearOf(it.event).toString("hex"),
      plaintext: plaintextOf(it.person).toString("hex"),
      opened: open(hex(recipient.private), clearOf(it.event), sealed).toString("hex"),
      signed: signed.toString("hex"),
      signature: signature.toString("hex"),
      verified: verify(null, signed, sender, hex(it.signature)),
      record: join(FRAME, signed, bytes(signature)).toString("hex"),
    };
  });
}

const given = JSON.parse(readFileSync(0, "utf8"));
const answer = process.argv[2] === "check" ? JSON.stringify(check(given)) : request(given).toString("hex");
process.stdout.write(`${answer}\n`);
