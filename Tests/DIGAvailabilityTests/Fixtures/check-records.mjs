// Checks records in the seed's form, one a line, as a JavaScript node would: over the bytes of JSON.stringify(data).
import { createHash, createPublicKey, constants, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const prefixes = { ed25519: '302a300506032b6570032100', secp256k1: '3036301006072a8648ce3d020106052b8104000a032200', rsa: '' };
let good = 0, all = 0;
for (const line of readFileSync(process.argv[2], 'utf8').trim().split('\n')) {
  const { data, signature, publicKey, timestamp } = JSON.parse(line);
  const algorithm = data.algorithm ?? 'secp256k1';
  const key = createPublicKey({ key: Buffer.from(prefixes[algorithm] + publicKey, 'hex'), format: 'der', type: 'spki' });
  const bytes = Buffer.from(JSON.stringify(data)), signed = Buffer.from(signature, 'hex');
  const isRight =
    algorithm === 'ed25519' ? verify(null, createHash('sha256').update(bytes).digest(), key, signed)
    : algorithm === 'secp256k1' ? verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signed)
    : verify('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }, signed);
  all += 1;
  if (isRight && data.timestamp === timestamp) good += 1;
}
console.log(`${good} of ${all}`);
