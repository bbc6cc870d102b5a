// grpc-js as a peer: see interop/internal/peer.
//
//   node main.js client ADDRESS [CA]
//   node main.js server ADDRESS [CERTIFICATE KEY]
//
// It finds its packages by NODE_PATH.
'use strict';

const [end, address, ...files] = process.argv.slice(2);
switch (end) {
  case 'client':
    require('./client').check(address, ...files);
    break;
  case 'server':
    require('./server').serve(address, ...files);
    break;
  default:
    console.error('the first argument is client or server');
    process.exitCode = 2;
}
