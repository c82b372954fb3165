//! Rows that wait for their file: shuffled chunks in memory up to a budget, older ones in the scratch file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::destination::Destination;
use super::key::Key;
use super::shuffle::Shuffled;
use super::spill::{Segment, Spill, decode};

/// A segment is read back in one go, so a large partition is cut into several.
const SEGMENT_BYTES: usize = 8 << 20;

/// Some rows of a partition; `sequence` is the number of the chunk that brought them.
#[derive(Debug, Clone, Copy)]
struct StoredPiece {
    sequence: u64,
    place: PieceAt,
    start: usize,
    rows: usize,
}

#[derive(Debug, Clone, Copy)]
enum PieceAt {
    Chunk(usize),
    Segment(usize),
}

/// All rows of one partition, in pieces.
pub(crate) struct Partition {
    pub(crate) key: Key,
    pub(crate) rows: usize,
    pieces: Vec<StoredPiece>,
}

/// The rows of all partitions, still growing.
pub(crate) struct Store {
    schema: SchemaRef,
    destination: Arc<dyn Destination>,
    budget: usize,
    chunk_bytes: usize,
    piece_count: usize,
    known: HashMap<Key, usize>,
    partitions: Vec<Partition>,
    chunks: Vec<RecordBatch>,
    segments: Vec<Segment>,
    spill: Option<Spill>,
}

impl Store {
    pub(crate) fn new(schema: SchemaRef, destination: Arc<dyn Destination>, budget: usize) -> Self {
        Self {
            schema,
            destination,
            budget,
            chunk_bytes: 0,
            piece_count: 0,
            known: HashMap::new(),
            partitions: Vec::new(),
            chunks: Vec::new(),
            segments: Vec::new(),
            spill: None,
        }
    }

    /// The memory that rows and the notes about them take.
    pub(crate) fn bytes(&self) -> usize {
        self.chunk_bytes + self.piece_count * size_of::<StoredPiece>()
    }

    /// Takes a chunk over and makes room when the budget is exceeded; `stopped` tells whether to give up early.
    pub(crate) fn insert(
        &mut self,
        sequence: u64,
        chunk: Shuffled,
        stopped: impl Fn() -> bool,
    ) -> Result<(), ArrowError> {
        self.chunk_bytes += chunk.batch.get_array_memory_size();
        self.piece_count += chunk.runs.len();
        for run in chunk.runs {
            let partition = match self.known.get(&run.key) {
                Some(position) => *position,
                None => {
                    self.known.insert(run.key.clone(), self.partitions.len());
                    self.partitions.push(Partition { key: run.key, rows: 0, pieces: Vec::new() });
                    self.partitions.len() - 1
                }
            };
            if let Some(partition) = self.partitions.get_mut(partition) {
                let place = PieceAt::Chunk(self.chunks.len());
                partition.pieces.push(StoredPiece { sequence, place, start: run.start, rows: run.rows });
                partition.rows += run.rows;
            }
        }
        self.chunks.push(chunk.batch);
        // The notes about rows never leave; they may halve the room, but not fill it, or every chunk would be spilled.
        if self.bytes() > self.budget && self.chunk_bytes > self.budget / 2 { self.spill(stopped) } else { Ok(()) }
    }

    fn spill(&mut self, stopped: impl Fn() -> bool) -> Result<(), ArrowError> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(self.destination.as_ref())?),
        };
        let chunk_rows: usize = self.chunks.iter().map(RecordBatch::num_rows).sum();
        // So many rows of average width fill a segment.
        let segment_rows = SEGMENT_BYTES / (self.chunk_bytes / chunk_rows.max(1)).max(1);
        for partition in &mut self.partitions {
            if stopped() {
                return Ok(());
            }
            // What was spilled before stays where it is: those pieces come first, and the rest is the tail that lies in
            // memory.
            let first = partition.pieces.partition_point(|piece| matches!(piece.place, PieceAt::Segment(_)));
            let (_, mut rest) = partition.pieces.split_at_mut(first);
            // Threads bring chunks out of order. Sorted by number, a segment holds rows that will be read together.
            rest.sort_by_key(|piece| piece.sequence);
            while !rest.is_empty() {
                let (group, later) = rest.split_at_mut(group_length(rest, segment_rows));
                let batch = concat_batches(&self.schema, &in_memory(&self.chunks, group))?;
                move_pieces(group, self.segments.len());
                self.segments.push(spill.append(&batch, &self.schema)?);
                rest = later;
            }
        }
        self.chunks.clear();
        self.chunk_bytes = 0;
        Ok(())
    }

    /// Ends the growing; the partitions come out largest first, so that the last ones to be encoded are small.
    pub(crate) fn seal(mut self) -> (Vec<Partition>, SealedStore) {
        for partition in &mut self.partitions {
            partition.pieces.sort_by_key(|piece| piece.sequence);
        }
        // Longest job first, the usual rule for many jobs on few threads: no thread is left alone with a large
        // partition at the end. The key breaks ties, so that the order does not depend on the threads.
        self.partitions.sort_by(|left, right| right.rows.cmp(&left.rows).then_with(|| left.key.cmp(&right.key)));
        let Self { schema, partitions, chunks, segments, spill, .. } = self;
        (partitions, SealedStore { schema, chunks, segments, spill: Mutex::new(spill) })
    }
}

/// How many pieces go into one segment: at least one, and no more than hold `rows` rows.
fn group_length(pieces: &[StoredPiece], rows: usize) -> usize {
    let totals = pieces.iter().scan(0, |total, piece| {
        *total += piece.rows;
        Some(*total)
    });
    totals.take_while(|total| *total <= rows).count().max(1)
}

fn in_memory(chunks: &[RecordBatch], pieces: &[StoredPiece]) -> Vec<RecordBatch> {
    pieces
        .iter()
        .filter_map(|piece| match piece.place {
            PieceAt::Chunk(chunk) => chunks.get(chunk).map(|chunk| chunk.slice(piece.start, piece.rows)),
            PieceAt::Segment(_) => None,
        })
        .collect()
}

fn move_pieces(pieces: &mut [StoredPiece], segment: usize) {
    let mut start = 0;
    for piece in pieces {
        piece.place = PieceAt::Segment(segment);
        piece.start = start;
        start += piece.rows;
    }
}

/// The rows of all partitions, complete.
pub(crate) struct SealedStore {
    schema: SchemaRef,
    chunks: Vec<RecordBatch>,
    segments: Vec<Segment>,
    spill: Mutex<Option<Spill>>,
}

impl SealedStore {
    /// The rows of a partition in the order in which they were written, in batches of about `rows` rows.
    pub(crate) fn read<'a>(&'a self, partition: &'a Partition, rows: usize) -> Batches<'a> {
        let mut pieces_of = BTreeMap::new();
        for piece in &partition.pieces {
            if let PieceAt::Segment(segment) = piece.place {
                *pieces_of.entry(segment).or_insert(0) += 1;
            }
        }
        Batches { sealed: self, pieces: partition.pieces.iter(), rows, pieces_of, loaded: BTreeMap::new() }
    }

    fn load(&self, segment: usize) -> Result<RecordBatch, ArrowError> {
        let place = self.segments.get(segment);
        // Reading moves the one position of the file, so it needs the lock; decoding does not.
        let mut spill = self.spill.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(place), Some(file)) = (place, spill.as_mut()) else {
            return Err(ArrowError::IpcError("a spilled segment is missing".to_string()));
        };
        let bytes = file.read(*place)?;
        drop(spill);
        decode(bytes)
    }
}

/// An iterator over a partition's rows.
pub(crate) struct Batches<'a> {
    sealed: &'a SealedStore,
    pieces: std::slice::Iter<'a, StoredPiece>,
    rows: usize,
    /// How many pieces of each segment are still to come.
    pieces_of: BTreeMap<usize, usize>,
    /// Segments with such pieces; those of neighbouring chunks may overlap a little.
    loaded: BTreeMap<usize, RecordBatch>,
}

impl Batches<'_> {
    fn piece(&mut self, piece: &StoredPiece) -> Result<RecordBatch, ArrowError> {
        let segment = match piece.place {
            PieceAt::Segment(segment) => segment,
            PieceAt::Chunk(chunk) => {
                let chunk = self.sealed.chunks.get(chunk).expect("a piece points into a chunk of its store");
                return Ok(chunk.slice(piece.start, piece.rows));
            }
        };
        let batch = match self.loaded.remove(&segment) {
            Some(batch) => batch,
            None => self.sealed.load(segment)?,
        };
        let slice = batch.slice(piece.start, piece.rows);
        // A segment is dropped with its last piece: only a few are in memory at a time, however much was spilled.
        let left = self.pieces_of.entry(segment).or_insert(1);
        *left -= 1;
        if *left > 0 {
            self.loaded.insert(segment, batch);
        }
        Ok(slice)
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batches = Vec::new();
        let mut rows = 0;
        while rows < self.rows
            && let Some(piece) = self.pieces.next()
        {
            match self.piece(piece) {
                Ok(batch) => {
                    rows += batch.num_rows();
                    batches.push(batch);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        match batches.len() {
            0 => None,
            1 => batches.pop().map(Ok),
            _ => Some(concat_batches(&self.sealed.schema, &batches)),
        }
    }
}
