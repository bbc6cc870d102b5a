//! The contract, as far as both ends need it.

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

tonic::include_proto!("yodel.interop");

pub mod peers {
    tonic::include_proto!("yodel.interop.peers");
}

const FAILURE: &str = "type.googleapis.com/yodel.interop.Failure";

/// The status of a failure, with the failure as its detail.
pub fn status(failure: &Failure) -> Status {
    let details = peers::StatusDetails {
        code: failure.code,
        message: failure.message.clone(),
        details: vec![prost_types::Any {
            type_url: FAILURE.into(),
            value: failure.encode_to_vec(),
        }],
    };
    Status::with_details(
        Code::from(failure.code),
        failure.message.clone(),
        Bytes::from(details.encode_to_vec()),
    )
}

/// The failure that is the only detail of a status.
pub fn detail(status: &Status) -> Option<Failure> {
    let details = peers::StatusDetails::decode(status.details()).ok()?;
    match &details.details[..] {
        [detail] if detail.type_url == FAILURE => Failure::decode(&detail.value[..]).ok(),
        _ => None,
    }
}
