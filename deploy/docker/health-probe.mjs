// Asks a service whether it is serving and exits with 0 if so, else with 1. For HEALTHCHECK of Docker and `exec` probes;
// with nothing but Node.js, for it runs every few seconds.
//
// Usage: node health-probe.mjs HOST:PORT|NAME [PATH]
//   NAME   environment variable that holds the address the service listens on; where NAME is SEMLINK_..._LISTEN and
//          SEMLINK_..._TLS_CERT is set, too, it is asked by TLS
//   PATH   asks by HTTP for this path, for example /readyz; without it by gRPC (grpc.health.v1.Health/Check)
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:http2';

const LIMIT_MS = 3_000;
/** An empty HealthCheckRequest (all of the server) as a gRPC message: not compressed, no bytes. */
const REQUEST = Buffer.alloc(5);
/** A HealthCheckResponse with status SERVING. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);

function leave(sentence, status) {
  process.stdout.write(`${sentence}\n`);
  process.exit(status);
}

const [argument = '', path] = process.argv.slice(2);
const address = (process.env[argument] ?? argument).replace(/^(0\.0\.0\.0|\[::\]):/, 'localhost:');
if (!/:\d+$/.test(address)) leave(`${JSON.stringify(argument)} is no HOST:PORT, nor a variable that holds one`, 2);

setTimeout(() => leave(`${address} did not answer within ${LIMIT_MS} ms`, 1), LIMIT_MS);
const absent = (error) => leave(`${address} is not there: ${error.message}`, 1);
if (path === undefined) askByGrpc();
else {
  get(`http://${address}${path}`, ({ statusCode }) => leave(`${path} ${statusCode}`, statusCode === 200 ? 0 : 1)).on(
    'error',
    absent,
  );
}

function askByGrpc() {
  const tls = ownCertificate();
  const session = connect(`${tls ? 'https' : 'http'}://${address}`, tls);
  session.on('error', absent);
  const call = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const chunks = [];
  call.on('error', (error) => leave(`${address} did not answer: ${error.message}`, 1));
  call.on('data', (chunk) => chunks.push(chunk));
  call.on('end', () => {
    const answer = Buffer.concat(chunks);
    if (answer.equals(SERVING)) leave('SERVING', 0);
    leave(answer.length > 0 ? 'NOT_SERVING' : `${address} serves no health service`, 1);
  });
  call.end(REQUEST);
}

/** The service's certificate, which is also shown to it, should it ask; its name is not that of this loopback address. */
function ownCertificate() {
  const of = (part) => process.env[argument.replace(/_LISTEN$/, `_TLS_${part}`)];
  if (!argument.endsWith('_LISTEN') || !of('CERT') || !of('KEY')) return undefined;
  return { cert: readFileSync(of('CERT')), key: readFileSync(of('KEY')), rejectUnauthorized: false };
}
