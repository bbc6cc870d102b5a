// The contract, as far as both ends need it.
'use strict';

const protoLoader = require('@grpc/proto-loader');
const grpc = require('@grpc/grpc-js');
const path = require('node:path');

const definition = protoLoader.loadSync(['echo.proto', 'details.proto'], {
  defaults: true,
  includeDirs: [path.join(__dirname, '../../protos'), path.join(__dirname, '../protos')],
});

const Failure = definition['yodel.interop.Failure'];
const StatusDetails = definition['yodel.interop.peers.StatusDetails'];
const failureType = 'type.googleapis.com/yodel.interop.Failure';

// packDetails makes the value of grpc-status-details-bin of a failure.
function packDetails(failure) {
  return StatusDetails.serialize({
    code: failure.code,
    message: failure.message,
    details: [{ type_url: failureType, value: Failure.serialize(failure) }],
  });
}

// unpackDetails returns the failure in such a value.
function unpackDetails(value) {
  const [detail] = StatusDetails.deserialize(value).details;
  if (detail.type_url !== failureType) {
    throw new Error(`the detail's type is ${detail.type_url}`);
  }
  return Failure.deserialize(detail.value);
}

module.exports = {
  Echo: grpc.loadPackageDefinition(definition).yodel.interop.Echo,
  detailsKey: 'grpc-status-details-bin',
  packDetails,
  unpackDetails,
};
