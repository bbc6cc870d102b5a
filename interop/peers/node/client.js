// Checks a server of Echo.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { once } = require('node:events');
const { isDeepStrictEqual, promisify } = require('node:util');
const grpc = require('@grpc/grpc-js');

const { Echo, detailsKey, unpackDetails } = require('./contract');

const timeout = 20_000;
const mebibyte = 1 << 20;
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const { status } = grpc;

const soon = () => ({ deadline: Date.now() + timeout });
const sleep = promisify(setTimeout);

class Checks {
  constructor(address, credentials) {
    // Node wants a name, not an address, in TLS.
    const options = { 'grpc.ssl_target_name_override': 'localhost' };
    this.echo = new Echo(address, credentials, options);
    // In grpc-js a channel, not a call, chooses how requests are compressed.
    this.gzip = new Echo(address, credentials, {
      ...options,
      'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  close() {
    this.echo.close();
    this.gzip.close();
  }

  // unary calls a method and waits for the response.
  unary(method, request, { metadata = new grpc.Metadata(), options = soon(), echo = this.echo } = {}) {
    return new Promise((resolve, reject) => {
      echo[method](request, metadata, options, (error, response) => (error ? reject(error) : resolve(response)));
    });
  }

  ended() {
    return this.unary('Ended', {});
  }

  async awaitEnded(before, withDeadline, withoutDeadline) {
    const want = {
      withDeadline: before.withDeadline + withDeadline,
      withoutDeadline: before.withoutDeadline + withoutDeadline,
    };
    const until = Date.now() + timeout;
    for (;;) {
      const got = await this.ended();
      if (isDeepStrictEqual(got, want)) return;
      if (Date.now() > until) assert.deepEqual(got, want, 'the handler did not see the end');
      await sleep(20);
    }
  }

  // failure expects the status that a server is asked for, in all its parts.
  async failure(message) {
    const failure = { code: status.FAILED_PRECONDITION, message };
    const calls = {
      unary: () => this.unary('Say', { failure }),
      stream: () => collect(this.echo.Count({ failure }, soon())),
    };
    for (const [kind, call] of Object.entries(calls)) {
      await assert.rejects(call, (error) => {
        assert.equal(error.code, failure.code, `${kind}: code of ${error.details}`);
        assert.equal(error.details, message, `${kind}: message`);
        const [details] = error.metadata.get(detailsKey);
        assert.deepEqual(unpackDetails(details), failure, `${kind}: detail`);
        return true;
      });
    }
  }
}

// collect reads a stream to its end.
async function collect(stream) {
  const all = [];
  for await (const response of stream) all.push(response);
  return all;
}

const checks = {
  async 'unary'(c) {
    const got = await c.unary('Say', { text: 'jodeln', payload: allBytes });
    assert.deepEqual(got, { text: 'jodeln', payload: allBytes, index: 0 });
  },

  async 'empty message'(c) {
    const got = await c.unary('Say', {});
    assert.deepEqual(got, { text: '', payload: Buffer.alloc(0), index: 0 });
  },

  async 'server stream'(c) {
    const all = await collect(c.echo.Count({ text: 'x', times: 1000 }, soon()));
    assert.deepEqual(all.map((r) => r.index), Array.from({ length: 1000 }, (_, i) => i));
    assert(all.every((r) => r.text === 'x'));
  },

  async 'server stream of nothing'(c) {
    assert.deepEqual(await collect(c.echo.Count({}, soon())), []);
  },

  // It leaves more unread than flow control lets through, and calls again.
  async 'server stream left early'(c) {
    for (let i = 0; i < 20; i++) {
      const call = c.echo.Count({ payload: Buffer.alloc(mebibyte), times: 10 }, soon());
      call.on('error', () => {});
      await once(call, 'data');
      call.cancel();
    }
    await checks.unary(c);
  },

  async 'client stream'(c) {
    const got = await new Promise((resolve, reject) => {
      const call = c.echo.Join(soon(), (error, response) => (error ? reject(error) : resolve(response)));
      for (let i = 0; i < 1000; i++) call.write({ text: String(i % 10) });
      call.end();
    });
    assert.equal(got.index, 1000);
    assert.equal(got.text, '0123456789'.repeat(100));
  },

  async 'bidi stream in lockstep'(c) {
    const call = c.echo.Chat(soon());
    let count = 0;
    call.write({ text: '0' });
    for await (const { text, index } of call) {
      assert.deepEqual({ text, index }, { text: String(count), index: count });
      if (++count < 100) call.write({ text: String(count) });
      else call.end();
    }
    assert.equal(count, 100);
  },

  async 'metadata'(c) {
    const sent = new grpc.Metadata();
    sent.add('x-echo', 'first');
    sent.add('x-echo', 'second, with a comma');
    sent.add('x-echo-bin', allBytes);
    sent.add('x-echo-bin', Buffer.alloc(0));
    const call = c.echo.Say({}, sent, soon(), () => {});
    const [[header], [{ metadata: trailer }]] = await Promise.all([once(call, 'metadata'), once(call, 'status')]);
    for (const suffix of ['', '-bin']) {
      // Node joins values that came apart.
      const joined = (values) => (suffix ? values : values.join(', '));
      const want = joined(sent.get('x-echo' + suffix));
      assert.deepEqual(joined(header.get('x-echo' + suffix)), want, 'header x-echo' + suffix);
      assert.deepEqual(joined(trailer.get('x-trailer' + suffix)), want, 'trailer x-trailer' + suffix);
    }
  },

  async 'error with details'(c) {
    await c.failure('Grüße, 世界 🎶: 100 %\nsecond line');
  },

  async 'large trailers'(c) {
    await c.failure('0123456789'.repeat(800));
  },

  async 'unimplemented'(c) {
    const { requestSerialize, responseDeserialize } = Echo.service.Say;
    const call = new Promise((resolve, reject) => {
      c.echo.makeUnaryRequest('/yodel.interop.Echo/Missing', requestSerialize, responseDeserialize, {}, soon(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    await assert.rejects(call, { code: status.UNIMPLEMENTED });
  },

  async 'gzip'(c) {
    const metadata = new grpc.Metadata();
    metadata.set('x-compress', 'gzip');
    const payload = Buffer.alloc(mebibyte);
    const before = await c.unary('Wire', {});
    const got = await c.unary('Say', { payload }, { metadata, echo: c.gzip });
    const after = await c.unary('Wire', {});
    assert(got.payload.equals(payload), 'payload');
    assert(after.received - before.received < mebibyte / 16, 'request compressed');
    assert(after.sent - before.sent < mebibyte / 16, 'response compressed');
  },

  async 'mebibyte'(c) {
    const payload = Buffer.concat(Array.from({ length: mebibyte / 256 }, () => allBytes));
    const got = await c.unary('Say', { payload });
    assert(got.payload.equals(payload), 'payload');
  },

  async 'request over the limit'(c) {
    await assert.rejects(c.unary('Say', { payload: Buffer.alloc(5 * mebibyte) }), { code: status.RESOURCE_EXHAUSTED });
  },

  async 'deadline'(c) {
    const before = await c.ended();
    const began = Date.now();
    const call = c.unary('Say', { hang: true }, { options: { deadline: Date.now() + 300 } });
    await assert.rejects(call, { code: status.DEADLINE_EXCEEDED });
    assert(Date.now() - began < 5000, 'ended in time');
    await c.awaitEnded(before, 1, 0);
  },

  async 'cancel'(c) {
    const before = await c.ended();
    const call = c.echo.Chat();
    call.write({ hang: true });
    // The answer shows that the handler has the request.
    await once(call, 'data');
    const error = new Promise((resolve) => call.on('error', resolve));
    call.cancel();
    assert.equal((await error).code, status.CANCELLED);
    await c.awaitEnded(before, 0, 1);
  },

  async 'many at once'(c) {
    const texts = Array.from({ length: 500 }, (_, i) => String(i));
    const got = await Promise.all(texts.map((text) => c.unary('Say', { text })));
    assert.deepEqual(got.map((r) => r.text), texts);
  },
};

async function check(address, ca) {
  const credentials = ca ? grpc.credentials.createSsl(fs.readFileSync(ca)) : grpc.credentials.createInsecure();
  const c = new Checks(address, credentials);
  let passed = 0;
  let failed = 0;
  for (const [name, run] of Object.entries(checks)) {
    try {
      await run(c);
      passed++;
      console.log(`ok\t${name}`);
    } catch (error) {
      failed++;
      console.log(`FAIL\t${name}\t${String(error).slice(0, 500).replaceAll(/\s+/g, ' ')}`);
    }
  }
  c.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

module.exports = { check };
