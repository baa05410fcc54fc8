//! How much memory a message is given before its length is known.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Bytes of a call's buffers, one for the request and one for the answer. Most messages fit: to place an order of two
/// items takes 125 bytes, and its answer 170. A longer one makes its buffer grow. tonic's own are 8 KiB: with thousands
/// of calls under way that is memory for nothing, and more than glibc's allocator keeps at hand for a thread.
const BUFFER_BYTES: usize = 1024;

/// Bytes of a stream's messages that are sent together, if so many are ready: tonic's default.
const YIELD_BYTES: usize = 32 * 1024;

/// Protobuf by prost, as tonic does it, in small buffers. Generated clients and servers use it.
#[derive(Debug)]
pub struct SmallBuffers<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBuffers<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBuffers<T, U>
where
    T: Message + 'static,
    U: Message + Default + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(settings())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(settings())
    }
}

fn settings() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}
