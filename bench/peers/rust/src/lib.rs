//! FlowDB 0.1.5 behind C functions, and RocksDB linked in.

use flowdb::{Config, Engine, Record, ScanRange};
use futures_executor::block_on;
use std::ffi::{c_char, CStr};

// Nothing of the crate is called: the driver uses the C interface that its library has.
extern crate rocksdb;

pub struct Original {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

#[repr(C)]
pub struct Slice {
    data: *const u8,
    size: usize,
}

#[repr(C)]
pub struct RawRecord {
    key: Slice,
    ts: i64,
    expire_at: i64,
    value: Slice,
}

#[repr(C)]
#[derive(Default)]
pub struct Seen {
    records: u64,
    sum: u64,
}

unsafe fn text<'a>(data: *const u8, size: usize) -> &'a str {
    std::str::from_utf8(std::slice::from_raw_parts(data, size)).expect("keys are text")
}

#[no_mangle]
pub extern "C" fn original_is_release() -> bool {
    !cfg!(debug_assertions)
}

/// # Safety
/// `folder` is a C string.
#[no_mangle]
pub unsafe extern "C" fn original_open(folder: *const c_char, memtable_mb: usize, block: usize, cache_mb: usize) -> *mut Original {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        data_dir: CStr::from_ptr(folder).to_str().expect("a path").into(),
        memtable_size_mb: memtable_mb,
        block_size: block,
        gc_interval_secs: 999_999,
        max_frozen_memtables: 4,
        zstd_level: 3,
        flush_interval_ms: 60_000,
        time_bucket_secs: 3600,
        block_cache_capacity_mb: cache_mb,
        index_memory_budget_mb: 256,
        default_ttl_secs: None,
        bloom_bits_per_key: 10,
        wal_segment_size_mb: 64,
        compaction_threshold: 1,
        create_if_missing: true,
    };
    let engine = runtime.block_on(Engine::open(config)).expect("open");
    Box::into_raw(Box::new(Original { engine, runtime }))
}

/// # Safety
/// `original` came from original_open and is not used again.
#[no_mangle]
pub unsafe extern "C" fn original_close(original: *mut Original) {
    let Original { engine, runtime } = *Box::from_raw(original);
    runtime.block_on(engine.shutdown()).expect("shutdown");
}

/// Its records own their bytes: they are made before the clock.
///
/// # Safety
/// `records` points to `count` records.
#[no_mangle]
pub unsafe extern "C" fn original_prepare(records: *const RawRecord, count: usize) -> *mut Vec<Record> {
    let made = std::slice::from_raw_parts(records, count)
        .iter()
        .map(|record| Record {
            key: text(record.key.data, record.key.size).to_owned(),
            ts: record.ts,
            expire_at: record.expire_at,
            value: std::slice::from_raw_parts(record.value.data, record.value.size).to_vec(),
        })
        .collect();
    Box::into_raw(Box::new(made))
}

/// # Safety
/// `prepared` came from original_prepare and is not used again.
#[no_mangle]
pub unsafe extern "C" fn original_release(prepared: *mut Vec<Record>) {
    drop(Box::from_raw(prepared));
}

/// # Safety
/// The pointers are alive and the range lies within the prepared records.
#[no_mangle]
pub unsafe extern "C" fn original_write(original: *const Original, prepared: *const Vec<Record>, first: usize, count: usize) {
    let records: &Vec<Record> = &*prepared;
    block_on((*original).engine.write_batch(&records[first..first + count])).expect("write");
}

/// # Safety
/// `original` is open.
#[no_mangle]
pub unsafe extern "C" fn original_flush(original: *const Original) {
    (*original).runtime.block_on((*original).engine.flush()).expect("flush");
}

/// # Safety
/// `original` is open, `key` points to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn original_get(original: *const Original, key: *const u8, size: usize, ts: i64, sum: *mut u64) -> i64 {
    match (*original).engine.get_sync(text(key, size), ts) {
        Some(record) => {
            *sum += u64::from(record.value[0]);
            record.value.len() as i64
        }
        None => -1,
    }
}

/// # Safety
/// As original_get.
#[no_mangle]
pub unsafe extern "C" fn original_latest(original: *const Original, key: *const u8, size: usize, ts: *mut i64) -> i64 {
    match (*original).engine.get_latest(text(key, size)).expect("get_latest") {
        Some(record) => {
            *ts = record.ts;
            record.value.len() as i64
        }
        None => -1,
    }
}

fn walk(original: &Original, range: ScanRange) -> Seen {
    let mut seen = Seen::default();
    for record in original.engine.scan(range).expect("scan") {
        let record = record.expect("next");
        seen.records += 1;
        seen.sum += record.value.len() as u64 + u64::from(record.value[0]);
    }
    seen
}

/// # Safety
/// As original_get; a size of 0 is everything.
#[no_mangle]
pub unsafe extern "C" fn original_scan(original: *const Original, prefix: *const u8, size: usize) -> Seen {
    if size == 0 {
        return walk(&*original, ScanRange::all());
    }
    walk(&*original, ScanRange::prefix(text(prefix, size)))
}

/// # Safety
/// As original_get.
#[no_mangle]
pub unsafe extern "C" fn original_range(original: *const Original, key: *const u8, size: usize, first: i64, last: i64) -> Seen {
    let key = text(key, size);
    walk(&*original, ScanRange::key_time_range(key, key, first, last))
}
