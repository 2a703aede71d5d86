// Makes records.json: records in the seed's form, signed by Node's own cryptography. Run: node make-records.mjs > records.json
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
function base58(bytes) {
  let number = BigInt('0x' + Buffer.from(bytes).toString('hex')), text = '';
  while (number > 0n) { text = alphabet[Number(number % 58n)] + text; number /= 58n; }
  for (const byte of bytes) { if (byte !== 0) break; text = '1' + text; }
  return text;
}

function makeKey(algorithm) {
  const { privateKey, publicKey } = algorithm === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const jwk = publicKey.export({ format: 'jwk' });
  const x = Buffer.from(jwk.x, 'base64url');
  const raw = algorithm === 'ed25519' ? x : Buffer.concat([Buffer.from([Buffer.from(jwk.y, 'base64url')[31] & 1 ? 3 : 2]), x]);
  const protobuf = Buffer.concat([Buffer.from([0x08, algorithm === 'ed25519' ? 1 : 2, 0x12, raw.length]), raw]);
  return {
    algorithm, raw: raw.toString('hex'), peerId: base58(Buffer.concat([Buffer.from([0, protobuf.length]), protobuf])),
    nodeId: createHash('sha256').update(raw).digest('hex'),
    sign(text) {
      const digest = createHash('sha256').update(text).digest();
      return (algorithm === 'ed25519' ? sign(null, digest, privateKey) : sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })).toString('hex');
    },
  };
}

const timestamp = 1795255900000;
const hash = '1220' + createHash('sha256').update('content').digest('hex');
const other = makeKey('ed25519').peerId;
const records = [];
for (const algorithm of ['ed25519', 'secp256k1']) {
  const key = makeKey(algorithm);
  const extra = algorithm === 'secp256k1' ? {} : { algorithm };
  for (const author of [key.peerId, key.nodeId, key.nodeId.substring(0, 40)]) {
    for (const data of [
      { hash, port: 8080, contentId: 'my "video"\n\u0001 ü/𝄞', available: true, peerId: author, ...extra },
      { available: false, hash, peerId: author, ...extra },
      { reporterId: author, reportedPeerId: other, contentHash: hash, reason: 'Content not found', ...extra },
    ]) {
      const stamped = { ...data, timestamp };
      const signature = key.sign(JSON.stringify(stamped));
      // The time stamp within the data, and outside only.
      records.push({ author: key.peerId, json: JSON.stringify({ data: stamped, signature, publicKey: key.raw, timestamp }), signed: JSON.stringify(stamped) });
      records.push({ author: key.peerId, json: JSON.stringify({ data, signature, publicKey: key.raw, timestamp }, null, 2), signed: JSON.stringify(stamped) });
    }
  }
}
console.log(JSON.stringify({ timestamp, hash, other, records }, null, 1));
