import DIGContent
import NIOCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Control message ↔ protobuf. The only place that knows the generated types.
enum ControlCodec {
    private typealias Wire = Dig_Transfer_V1_Control

    /// - Returns: Nil for a message that this version does not know, which is to be ignored.
    static func decode(_ body: ByteBuffer) throws(TransferWireError) -> ControlMessage? {
        let wire: Wire
        do {
            var options = BinaryDecodingOptions()
            options.messageDepthLimit = 8
            options.discardUnknownFields = true
            wire = try Wire(serializedBytes: Array(body.readableBytesView), options: options)
        } catch {
            throw .malformedControl
        }
        switch wire.message {
        case nil:
            return nil
        case .describe(let message):
            return .request(.describe(try Self.contentHash(message.contentHash), chunkLayer: message.hasChunkLayer ? try Self.chunkLayer(message.chunkLayer) : nil))
        case .getHashes(let message):
            let request = HashRequest(
                layer: try Self.treeLayer(message.layer), index: try Self.index(message.index),
                count: try Self.bounded(message.count, 1...TransferLimits.maximumHashCount, "count"),
                proofLayers: try Self.bounded(message.proofLayers, 0...TransferLimits.maximumTreeLayer, "proof_layers"))
            return .request(.getHashes(request))
        case .getChunks(let message):
            return .request(.getChunks(try Self.range(message.first, message.count)))
        case .cancel(let message):
            return .request(.cancel(try Self.range(message.first, message.count)))
        case .subscribe:
            return .request(.subscribe)
        case .getListing(let message):
            let byteCount = try Self.bounded(message.byteCount, 1...TransferLimits.maximumListingPartByteCount, "byte_count")
            return .request(.getListing(offset: message.offset, byteCount: byteCount))
        case .prove(let message):
            return .request(.prove(block: try Self.index(message.block), nonce: try Self.bytes(message.nonce, upTo: TransferLimits.maximumNonceByteCount, "nonce")))
        case .release:
            return .request(.release)
        case .resolve(let message):
            return .request(.resolve(requestID: message.requestID, try Self.key(message.key)))
        case .description_p(let message):
            return .response(.description(try Self.description(message)))
        case .hashes(let message):
            let (count, remainder) = message.hashes.count.quotientAndRemainder(dividingBy: SHA256Digest.byteCount)
            guard remainder == 0, (1...TransferLimits.maximumHashCount).contains(count) else { throw .fieldOutOfRange(field: "hashes") }
            let segment = HashSegment(
                layer: try Self.treeLayer(message.layer), index: try Self.index(message.index), count: count, hashes: [UInt8](message.hashes),
                uncles: try Self.digests(message.uncles, 0...TransferLimits.maximumTreeLayer, "uncles"))
            return .response(.hashes(segment))
        case .hashesUnavailable(let message):
            let id = HashRequestID(
                layer: try Self.treeLayer(message.layer), index: try Self.index(message.index),
                count: try Self.bounded(message.count, 1...TransferLimits.maximumHashCount, "count"))
            return .response(.hashesUnavailable(id, UnavailableReason(message.reason)))
        case .bitfield(let message):
            return .response(.bitfield(try Self.bitfield(message)))
        case .have(let message):
            guard (1...TransferLimits.maximumHaveRangeCount).contains(message.ranges.count) else { throw .fieldOutOfRange(field: "ranges") }
            var ranges: [ChunkRange] = []
            ranges.reserveCapacity(message.ranges.count)
            var end = 0
            for range in message.ranges {
                let range = try Self.range(range.first, range.count)
                // In order and apart, or one message could name every chunk thousands of times.
                guard range.indices.lowerBound >= end else { throw .fieldOutOfRange(field: "ranges") }
                end = range.indices.upperBound
                ranges.append(range)
            }
            return .response(.have(ranges))
        case .chunksUnavailable(let message):
            return .response(.chunksUnavailable(try Self.range(message.first, message.count), UnavailableReason(message.reason)))
        case .listingPart(let message):
            let bytes = try Self.bytes(message.bytes, upTo: TransferLimits.maximumListingPartByteCount, "bytes")
            return .response(.listingPart(offset: message.offset, bytes: bytes))
        case .proof(let message):
            return .response(try Self.proof(message))
        case .resolved(let message):
            let withheld = message.withheld == .unspecified ? nil : UnavailableReason(message.withheld)
            return .response(.resolved(requestID: message.requestID, bindings: try Self.bindings(message.bindings), withheld: withheld))
        }
    }

    /// Nil if protobuf cannot encode it, which no value of ours brings about.
    static func encode(_ request: TransferRequest) -> [UInt8]? {
        var wire = Wire()
        switch request {
        case .describe(let hash, let chunkLayer):
            wire.describe.contentHash = Data(hash.digest.bytes)
            if let chunkLayer { wire.describe.chunkLayer = UInt32(clamping: chunkLayer) }
        case .getHashes(let request):
            wire.getHashes.layer = UInt32(clamping: request.layer)
            wire.getHashes.index = UInt64(clamping: request.index)
            wire.getHashes.count = UInt32(clamping: request.count)
            wire.getHashes.proofLayers = UInt32(clamping: request.proofLayers)
        case .getChunks(let range):
            wire.getChunks.first = range.first
            wire.getChunks.count = range.count
        case .cancel(let range):
            wire.cancel.first = range.first
            wire.cancel.count = range.count
        case .subscribe:
            wire.subscribe = .init()
        case .getListing(let offset, let byteCount):
            wire.getListing.offset = offset
            wire.getListing.byteCount = UInt32(clamping: byteCount)
        case .prove(let block, let nonce):
            wire.prove.block = UInt64(clamping: block)
            wire.prove.nonce = Data(nonce)
        case .release:
            wire.release = .init()
        case .resolve(let requestID, let key):
            wire.resolve.requestID = requestID
            switch key {
            case .sha256(let digest): wire.resolve.sha256 = Data(digest.bytes)
            case .name(let name): wire.resolve.name = name
            }
        }
        return try? wire.serializedBytes()
    }

    /// Nil if protobuf cannot encode it, which no value of ours brings about.
    static func encode(_ response: TransferResponse) -> [UInt8]? {
        var wire = Wire()
        switch response {
        case .description(let description):
            switch description.content {
            case .file(let size, let root, let chunkLayer):
                wire.description_p.file.size = size
                wire.description_p.file.root = Data(root.bytes)
                wire.description_p.file.chunkLayer = UInt32(clamping: chunkLayer)
            case .folder(let byteCount):
                wire.description_p.folder.byteCount = byteCount
            case .notFound:
                wire.description_p.notFound = .init()
            case .refused(let reason):
                wire.description_p.refused.reason = reason.wire
            }
            wire.description_p.name = description.name ?? ""
            wire.description_p.bindings = description.bindings.map { Data($0) }
        case .hashes(let segment):
            wire.hashes.layer = UInt32(clamping: segment.layer)
            wire.hashes.index = UInt64(clamping: segment.index)
            wire.hashes.hashes = Data(segment.hashes)
            wire.hashes.uncles = Self.data(segment.uncles)
        case .hashesUnavailable(let id, let reason):
            wire.hashesUnavailable.layer = UInt32(clamping: id.layer)
            wire.hashesUnavailable.index = UInt64(clamping: id.index)
            wire.hashesUnavailable.count = UInt32(clamping: id.count)
            wire.hashesUnavailable.reason = reason.wire
        case .bitfield(.complete):
            wire.bitfield.complete = true
        case .bitfield(.part(let first, let bits)):
            wire.bitfield.part.first = first
            wire.bitfield.part.bits = Data(bits)
        case .have(let ranges):
            wire.have.ranges = ranges.map { range in
                .with {
                    $0.first = range.first
                    $0.count = range.count
                }
            }
        case .chunksUnavailable(let range, let reason):
            wire.chunksUnavailable.first = range.first
            wire.chunksUnavailable.count = range.count
            wire.chunksUnavailable.reason = reason.wire
        case .listingPart(let offset, let bytes):
            wire.listingPart.offset = offset
            wire.listingPart.bytes = Data(bytes)
        case .proof(let proof, let nonce):
            wire.proof.block = UInt64(clamping: proof.block)
            wire.proof.nonce = Data(nonce)
            wire.proof.data = Data(proof.bytes)
            wire.proof.uncles = Self.data(proof.uncles)
        case .proofUnavailable(let block, let nonce, let reason):
            wire.proof.block = UInt64(clamping: block)
            wire.proof.nonce = Data(nonce)
            // Zero means that the proof follows.
            wire.proof.unavailable = reason == .unspecified ? .notHeld : reason.wire
        case .resolved(let requestID, let bindings, let withheld):
            wire.resolved.requestID = requestID
            if let withheld { wire.resolved.withheld = withheld.wire }
            wire.resolved.bindings = bindings.map { Data($0) }
        }
        return try? wire.serializedBytes()
    }

    // MARK: - fields

    private static func description(_ message: Dig_Transfer_V1_Description) throws(TransferWireError) -> ContentDescription {
        let content: ContentDescription.Content
        switch message.content {
        case .file(let file):
            content = .file(size: file.size, root: try Self.digest(file.root, "root"), chunkLayer: try Self.chunkLayer(file.chunkLayer))
        case .folder(let folder):
            content = .folder(byteCount: folder.byteCount)
        case .notFound:
            content = .notFound
        case .refused(let refused):
            content = .refused(UnavailableReason(refused.reason))
        case nil:
            content = .refused(.unspecified)
        }
        guard message.name.utf8.count <= TransferLimits.maximumNameByteCount else { throw .fieldOutOfRange(field: "name") }
        return ContentDescription(content, name: message.name.isEmpty ? nil : message.name, bindings: try Self.bindings(message.bindings))
    }

    private static func bitfield(_ message: Dig_Transfer_V1_Bitfield) throws(TransferWireError) -> BitfieldPart {
        switch message.chunks {
        case .complete(true):
            return .complete
        case .part(let part):
            guard part.first % 8 == 0 else { throw .fieldOutOfRange(field: "first") }
            return .part(first: part.first, bits: try Self.bytes(part.bits, upTo: TransferLimits.maximumBitfieldPartChunkCount / 8, "bits"))
        case .complete(false), nil:
            throw .fieldOutOfRange(field: "chunks")
        }
    }

    private static func proof(_ message: Dig_Transfer_V1_Proof) throws(TransferWireError) -> TransferResponse {
        let block = try Self.index(message.block)
        let nonce = try Self.bytes(message.nonce, upTo: TransferLimits.maximumNonceByteCount, "nonce")
        guard message.unavailable == .unspecified else {
            return .proofUnavailable(block: block, nonce: nonce, UnavailableReason(message.unavailable))
        }
        let data = try Self.bytes(message.data, upTo: TransferLimits.blockByteCount, "data")
        guard !data.isEmpty else { throw .fieldOutOfRange(field: "data") }
        let uncles = try Self.digests(message.uncles, 0...TransferLimits.maximumTreeLayer, "uncles")
        return .proof(BlockProof(block: block, bytes: data, uncles: uncles), nonce: nonce)
    }

    private static func key(_ key: Dig_Transfer_V1_Resolve.OneOf_Key?) throws(TransferWireError) -> BindingKey {
        switch key {
        case .sha256(let bytes):
            return .sha256(try Self.digest(bytes, "sha256"))
        case .name(let name):
            guard (1...TransferLimits.maximumNameByteCount).contains(name.utf8.count) else { throw .fieldOutOfRange(field: "name") }
            return .name(name)
        case nil:
            throw .fieldOutOfRange(field: "key")
        }
    }

    private static func bindings(_ bindings: [Data]) throws(TransferWireError) -> [[UInt8]] {
        guard
            bindings.count <= TransferLimits.maximumBindingCount,
            bindings.allSatisfy({ (1...TransferLimits.maximumBindingByteCount).contains($0.count) })
        else { throw .fieldOutOfRange(field: "bindings") }
        return bindings.map { [UInt8]($0) }
    }

    private static func contentHash(_ data: Data) throws(TransferWireError) -> ContentHash {
        ContentHash(digest: try Self.digest(data, "content_hash"))
    }

    private static func digest(_ data: Data, _ field: String) throws(TransferWireError) -> SHA256Digest {
        guard data.count == 32, let digest = SHA256Digest(bytes: [UInt8](data)) else { throw .fieldOutOfRange(field: field) }
        return digest
    }

    private static func digests(_ data: Data, _ count: ClosedRange<Int>, _ field: String) throws(TransferWireError) -> [SHA256Digest] {
        guard data.count % 32 == 0, count.contains(data.count / 32) else { throw .fieldOutOfRange(field: field) }
        let bytes = [UInt8](data)
        return stride(from: 0, to: bytes.count, by: 32).compactMap { SHA256Digest(bytes: bytes[$0..<$0 + 32]) }
    }

    private static func data(_ digests: [SHA256Digest]) -> Data {
        var data = Data(capacity: digests.count * 32)
        for digest in digests { digest.withUnsafeBytes { data.append(contentsOf: $0) } }
        return data
    }

    private static func bytes(_ data: Data, upTo limit: Int, _ field: String) throws(TransferWireError) -> [UInt8] {
        guard data.count <= limit else { throw .fieldOutOfRange(field: field) }
        return [UInt8](data)
    }

    private static func range(_ first: UInt32, _ count: UInt32) throws(TransferWireError) -> ChunkRange {
        guard let range = ChunkRange(first: first, count: count) else { throw .fieldOutOfRange(field: "count") }
        return range
    }

    private static func chunkLayer(_ layer: UInt32) throws(TransferWireError) -> Int {
        try Self.bounded(layer, 0...TransferLimits.maximumChunkLayer, "chunk_layer")
    }

    private static func treeLayer(_ layer: UInt32) throws(TransferWireError) -> Int {
        try Self.bounded(layer, 0...TransferLimits.maximumTreeLayer, "layer")
    }

    /// Of a node or block; whether there is one is for the geometry to say.
    private static func index(_ index: UInt64) throws(TransferWireError) -> Int {
        guard let index = Int(exactly: index) else { throw .fieldOutOfRange(field: "index") }
        return index
    }

    private static func bounded(_ value: UInt32, _ range: ClosedRange<Int>, _ field: String) throws(TransferWireError) -> Int {
        guard let value = Int(exactly: value), range.contains(value) else { throw .fieldOutOfRange(field: field) }
        return value
    }
}

extension UnavailableReason {
    fileprivate init(_ wire: Dig_Transfer_V1_Reason) {
        switch wire {
        case .notHeld: self = .notHeld
        case .changed: self = .changed
        case .unreadable: self = .unreadable
        case .busy: self = .busy
        case .layerUnsupported: self = .layerUnsupported
        case .outOfRange: self = .outOfRange
        case .authenticationRequired: self = .authenticationRequired
        case .notAuthorized: self = .notAuthorized
        case .unspecified, .UNRECOGNIZED: self = .unspecified
        }
    }

    fileprivate var wire: Dig_Transfer_V1_Reason {
        switch self {
        case .unspecified: .unspecified
        case .notHeld: .notHeld
        case .changed: .changed
        case .unreadable: .unreadable
        case .busy: .busy
        case .layerUnsupported: .layerUnsupported
        case .outOfRange: .outOfRange
        case .authenticationRequired: .authenticationRequired
        case .notAuthorized: .notAuthorized
        }
    }
}
