// An OpenID provider for the tests: npm's oidc-provider in a process of its own.
//
//   node provider.mjs <port, 0 for a free one> <file of its signing keys, made if there is none>
//
// The first line on standard output is its issuer. What is under /control/ is for the tests alone:
//
//   POST /control/rotate?keep   sign with new keys; the last ones stay published
//   POST /control/rotate        sign with new keys; all others are withdrawn
//   POST /control/delay?ms=300  from now on every answer comes that much later
//   GET  /control/requests      how often each path has been asked for

import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as http from 'node:http';

import { Provider } from 'oidc-provider';

const [port, keyFile] = process.argv.slice(2);
const host = '127.0.0.1';
const audience = 'chatkit';
const scope = 'chatkit.read chatkit.write';
const accessTokenTTL = 3600;

// A client asks for one of these, and gets another form of token for the same audience.
const resources = {
  'urn:chatkit:rs256': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
  'urn:chatkit:es256': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'urn:chatkit:opaque': { accessTokenFormat: 'opaque' },
};

const noLogin = { redirect_uris: [], response_types: [] };
const clients = [
  { client_id: 'alice', client_secret: 'alice-secret', grant_types: ['client_credentials'], scope, ...noLogin },
  { client_id: 'chatkit-api', client_secret: 'chatkit-api-secret', grant_types: [], ...noLogin },
];

// Outlives the providers that it is handed to.
const memory = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    memory.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return memory.get(`${this.model}:${id}`);
  }

  async destroy(id) {
    memory.delete(`${this.model}:${id}`);
  }
}

// oidc-provider takes its keys once, when it is made; so new keys take a new provider.
function providerWith(keys) {
  fs.writeFileSync(keyFile, JSON.stringify(keys));
  const provider = new Provider(issuer, {
    adapter: Adapter,
    clients,
    jwks: { keys },
    scopes: scope.split(' '),
    cookies: { keys: ['nobody logs in'] },
    ttl: { ClientCredentials: accessTokenTTL },
    // A client that acts for itself is the subject (RFC 9068 §2.2): say so of opaque tokens as well.
    extraTokenClaims: (_, token) => ({ sub: token.clientId }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'chatkit-api' },
      revocation: { enabled: true, allowedPolicy: (_, client, token) => client.clientId === token.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({ audience, scope, accessTokenTTL, ...resources[resource] }),
      },
    },
  });
  return provider.callback();
}

function newKeys() {
  const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return [
    { ...rsa.export({ format: 'jwk' }), kid: crypto.randomUUID(), alg: 'RS256', use: 'sig' },
    { ...ec.export({ format: 'jwk' }), kid: crypto.randomUUID(), alg: 'ES256', use: 'sig' },
  ];
}

const controls = {
  '/control/rotate': (query) => {
    const fresh = newKeys();
    keys = query.has('keep') ? [...fresh, ...keys.slice(0, fresh.length)] : fresh;
    answer = providerWith(keys);
  },
  '/control/delay': (query) => {
    delay = Number(query.get('ms'));
  },
  '/control/requests': () => requests,
};

const requests = {};
let issuer;
let keys;
let answer;
let delay = 0;

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, issuer);
  if (pathname in controls) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(controls[pathname](searchParams) ?? null));
    return;
  }
  requests[pathname] = (requests[pathname] ?? 0) + 1;
  setTimeout(() => answer(request, response), delay);
});

server.listen(Number(port), host, () => {
  issuer = `http://${host}:${server.address().port}`;
  keys = fs.existsSync(keyFile) ? JSON.parse(fs.readFileSync(keyFile, 'utf8')) : newKeys();
  answer = providerWith(keys);
  console.log(issuer);
});
