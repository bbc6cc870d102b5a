// Serves Echo until the standard input ends.
'use strict';

const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');

const { Echo, detailsKey, packDetails } = require('./contract');

const ended = { withDeadline: 0, withoutDeadline: 0 };

// begin sends the x-echo metadata back, and returns it as trailers. grpc-js
// joins values of one name, as HTTP may, and cannot compress responses.
function begin(call) {
  const header = new grpc.Metadata();
  const trailer = new grpc.Metadata();
  for (const suffix of ['', '-bin']) {
    for (const value of call.metadata.get('x-echo' + suffix)) {
      header.add('x-echo' + suffix, value);
      trailer.add('x-trailer' + suffix, value);
    }
  }
  call.sendMetadata(header);
  return trailer;
}

// failureOf returns the error that the request asks for, if it does.
function failureOf({ failure }, trailer) {
  if (!failure) return null;
  const metadata = trailer.clone();
  metadata.set(detailsKey, packDetails(failure));
  return { code: failure.code, details: failure.message, metadata };
}

// countEnd counts the call when it ends, which an answer must not do first.
function countEnd(call) {
  const hasDeadline = Number.isFinite(Number(call.getDeadline()));
  call.on('cancelled', () => {
    if (hasDeadline) ended.withDeadline++;
    else ended.withoutDeadline++;
  });
}

function answer({ text, payload }, index) {
  return { text, payload, index };
}

function say(call, done) {
  const trailer = begin(call);
  const error = failureOf(call.request, trailer);
  if (error) done(error);
  else if (call.request.hang) countEnd(call);
  else done(null, answer(call.request, 0), trailer);
}

// drained waits until a call can take more, or has ended.
function drained(call) {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done).off('cancelled', done);
      resolve();
    };
    call.on('drain', done).on('cancelled', done);
  });
}

async function count(call) {
  const trailer = begin(call);
  const error = failureOf(call.request, trailer);
  if (error) {
    call.emit('error', error);
    return;
  }
  if (call.request.hang) {
    countEnd(call);
    return;
  }
  for (let i = 0; i < call.request.times && !call.cancelled; i++) {
    if (!call.write(answer(call.request, i))) {
      await drained(call);
    }
  }
  call.end(trailer);
}

function join(call, done) {
  const trailer = begin(call);
  const texts = [];
  const payloads = [];
  let error = null;
  call.on('data', (request) => {
    error ??= failureOf(request, trailer);
    if (request.hang) countEnd(call);
    texts.push(request.text);
    payloads.push(request.payload);
  });
  call.on('end', () => {
    if (error) done(error);
    else done(null, { text: texts.join(''), payload: Buffer.concat(payloads), index: texts.length }, trailer);
  });
}

function chat(call) {
  const trailer = begin(call);
  let index = 0;
  let hangs = false;
  call.on('data', (request) => {
    const error = failureOf(request, trailer);
    if (error) {
      call.emit('error', error);
      return;
    }
    if (request.hang) {
      hangs = true;
      countEnd(call);
    }
    if (!call.write(answer(request, index++))) {
      call.pause();
      call.once('drain', () => call.resume());
    }
  });
  call.on('end', () => {
    if (!hangs) call.end(trailer);
  });
}

function credentials(certificate, key) {
  if (!certificate) return grpc.ServerCredentials.createInsecure();
  return grpc.ServerCredentials.createSsl(null, [
    { cert_chain: fs.readFileSync(certificate), private_key: fs.readFileSync(key) },
  ]);
}

function serve(address, ...files) {
  const server = new grpc.Server();
  server.addService(Echo.service, {
    Say: say,
    Count: count,
    Join: join,
    Chat: chat,
    Ended: (_call, done) => done(null, ended),
  });
  server.bindAsync(address, credentials(...files), (error, port) => {
    if (error) throw error;
    console.log('listening on', port);
  });
  process.stdin.on('end', () => server.forceShutdown());
  process.stdin.resume();
}

module.exports = { serve };
