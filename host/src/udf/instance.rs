//! One instance of a module and the calls of the raw door.

use tamis_frame::{ALIGN, ColumnRef, encode_into, encoded_len, limits};
use wasmtime::{InstancePre, Memory, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc};

use super::engine::TABLES;
use super::error::shortened;
use super::{Sandbox, UdfError};

/// What a store holds: the limits of the instance in it.
pub(super) struct State {
    limits: StoreLimits,
}

/// A running instance. After a failed call it is thrown away.
pub(super) struct Instance {
    store: Store<State>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    free: TypedFunc<(u32, u32), ()>,
    call: TypedFunc<(u32, u32, u32), u64>,
    sandbox: Sandbox,
    pub(super) calls: u32,
}

impl Instance {
    pub(super) fn new(pre: &InstancePre<State>, name: &str, sandbox: &Sandbox) -> Result<Self, UdfError> {
        let not_started = |error| UdfError::Start { name: name.to_owned(), cause: Box::new(fault(&error, sandbox)) };
        let mut store = limited(sandbox);
        let instance = pre.instantiate(&mut store).map_err(not_started)?;
        let missing = |export| UdfError::Export { name: name.to_owned(), export };
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| missing("memory"))?;
        let abi: TypedFunc<(), u32> = instance.get_typed_func(&mut store, "tamis_abi").map_err(|_| missing("tamis_abi"))?;
        let theirs = abi.call(&mut store, ()).map_err(not_started)?;
        if theirs != tamis_frame::ABI_VERSION {
            return Err(UdfError::Version { name: name.to_owned(), theirs });
        }
        let alloc = instance.get_typed_func(&mut store, "tamis_alloc").map_err(|_| missing("tamis_alloc"))?;
        let free = instance.get_typed_func(&mut store, "tamis_free").map_err(|_| missing("tamis_free"))?;
        let call = instance.get_typed_func(&mut store, "tamis_call").map_err(|_| missing("tamis_call"))?;
        instance.get_typed_func::<(), u64>(&mut store, "tamis_signature").map_err(|_| missing("tamis_signature"))?;
        Ok(Self { store, memory, alloc, free, call, sandbox: sandbox.clone(), calls: 0 })
    }

    /// The signature's JSON, copied out.
    pub(super) fn signature(&mut self, pre: &InstancePre<State>, name: &str) -> Result<Vec<u8>, UdfError> {
        // A separate instance, so that reading the signature leaves nothing behind in this one.
        let not_started = |error| UdfError::Start { name: name.to_owned(), cause: Box::new(fault(&error, &self.sandbox)) };
        let mut store = limited(&self.sandbox);
        let instance = pre.instantiate(&mut store).map_err(not_started)?;
        let missing = |export| UdfError::Export { name: name.to_owned(), export };
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| missing("memory"))?;
        let read: TypedFunc<(), u64> = instance.get_typed_func(&mut store, "tamis_signature").map_err(|_| missing("tamis_signature"))?;
        let place = read.call(&mut store, ()).map_err(not_started)?;
        let (pointer, len) = unpack(place);
        let wrong = |what: String| UdfError::Signature { name: name.to_owned(), what };
        if len > limits::MAX_SIGNATURE {
            return Err(wrong(format!("its signature has {len} bytes, at most {} are allowed", limits::MAX_SIGNATURE)));
        }
        let text = memory.data(&store).get(pointer..pointer.saturating_add(len));
        text.map(<[u8]>::to_vec).ok_or_else(|| wrong("its signature lies outside its memory".to_owned()))
    }

    /// Whether it may be called again: it has not been called too often, and its memory has room.
    pub(super) fn is_fresh_enough(&self) -> bool {
        let limits = self.sandbox.limits();
        self.calls < limits.calls_per_instance && self.memory.data_size(&self.store) <= limits.memory_bytes / 2
    }

    /// One call over one frame. `read` gets the reply's bytes, where they are.
    pub(super) fn call<T>(
        &mut self,
        function: u32,
        columns: &[ColumnRef<'_>],
        rows: usize,
        read: impl FnOnce(&[u8]) -> Result<T, UdfError>,
    ) -> Result<T, UdfError> {
        let Self { store, memory, alloc, free, call, sandbox, calls } = self;
        *calls += 1;
        store.set_epoch_deadline(sandbox.ticks());
        let out_of_memory = || UdfError::Memory(sandbox.limits().memory_bytes);
        let len = encoded_len(columns, rows);
        // Also what a pointer of 32 bits cannot say.
        if len > sandbox.limits().memory_bytes {
            return Err(out_of_memory());
        }
        let pointer = alloc.call(&mut *store, len as u32).map_err(|error| fault(&error, sandbox))?;
        if pointer == 0 {
            return Err(out_of_memory());
        }
        let start = pointer as usize;
        if !start.is_multiple_of(ALIGN) {
            return Err(UdfError::Reply("tamis_alloc answered memory that is not aligned".to_owned()));
        }
        let place = memory.data_mut(&mut *store).get_mut(start..start.saturating_add(len));
        encode_into(columns, rows, place.ok_or_else(|| UdfError::Reply("tamis_alloc answered a place outside the memory".to_owned()))?);
        let reply = call.call(&mut *store, (function, pointer, len as u32)).map_err(|error| fault(&error, sandbox))?;
        let (start, size) = unpack(reply);
        if start == 0 {
            return Err(out_of_memory());
        }
        if size > sandbox.limits().max_reply_bytes {
            return Err(UdfError::Reply(format!("it has {size} bytes, at most {} are allowed", sandbox.limits().max_reply_bytes)));
        }
        if !start.is_multiple_of(ALIGN) {
            return Err(UdfError::Reply("it is not aligned".to_owned()));
        }
        let bytes = memory.data(&*store).get(start..start.saturating_add(size));
        let result = read(bytes.ok_or_else(|| UdfError::Reply("it lies outside the memory".to_owned()))?)?;
        free.call(&mut *store, (pointer, len as u32)).map_err(|error| fault(&error, sandbox))?;
        free.call(&mut *store, (start as u32, size as u32)).map_err(|error| fault(&error, sandbox))?;
        Ok(result)
    }
}

/// A store with all limits, and the time of one call from now.
fn limited(sandbox: &Sandbox) -> Store<State> {
    let limits = sandbox.limits();
    let limits = StoreLimitsBuilder::new()
        .memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .instances(1)
        .memories(1)
        .tables(TABLES as usize)
        .build();
    let mut store = Store::new(sandbox.engine(), State { limits });
    store.limiter(|state| &mut state.limits);
    store.set_epoch_deadline(sandbox.ticks());
    store
}

fn unpack(place: u64) -> (usize, usize) {
    ((place >> 32) as usize, (place & 0xFFFF_FFFF) as usize)
}

fn fault(error: &wasmtime::Error, sandbox: &Sandbox) -> UdfError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => UdfError::Deadline(sandbox.limits().deadline),
        Some(Trap::StackOverflow) => UdfError::Trap("its calls are nested too deeply".to_owned()),
        Some(trap) => UdfError::Trap(trap.to_string()),
        None => UdfError::Trap(shortened(format!("{error:#}").lines().next().unwrap_or_default())),
    }
}
