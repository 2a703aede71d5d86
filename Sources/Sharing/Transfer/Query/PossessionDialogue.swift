import DIGContent

/// Asks a peer for a proof that it has a content: a block that we pick at random, with its path to the root (`Prove`).
///
/// A value: what the peer sends goes in, what to send comes out.
///
///     describe, subscribe ──► a file: prove a block of a chunk that it holds ──► right or wrong
///                         └─► a folder: its whole listing, then the same for one of its files
///
/// Of a peer that holds only a part, a block of that part is asked. A file without bytes, and a folder without files, are proven by saying what they are.
struct PossessionDialogue: TransferDialogue {
    typealias Step = TransferDialogueStep<PossessionAnswer>

    static let overdueMessage = "the peer did not prove anything in time"

    private enum State {
        case describing
        case choosing(FileDescriptor, ChunkLayout, ChunkBitmap, toCome: Int)
        case proving(FileDescriptor, block: Int)
        case listing(ListingAssembly)
    }

    private let nonce: [UInt8]
    private var content: ContentHash
    private var handle: UInt32 = 1
    private var isMember = false
    private var state = State.describing
    private var generator: any RandomNumberGenerator & Sendable

    /// - Parameter nonce: At most 32 bytes; the peer repeats it.
    init(_ content: ContentHash, nonce: [UInt8], generator: any RandomNumberGenerator & Sendable) {
        self.content = content
        self.nonce = Array(nonce.prefix(TransferLimits.maximumNonceByteCount))
        self.generator = generator
    }

    func begin() -> [TransferAsk] { [self.ask(.describe(self.content, chunkLayer: nil)), self.ask(.subscribe)] }

    private func ask(_ request: TransferRequest) -> TransferAsk { TransferAsk(handle: self.handle, request: request) }

    /// - Throws: ``TransferError`` `.protocolViolation` for what was not asked for.
    mutating func received(_ response: TransferResponse, handle: UInt32) throws(TransferError) -> Step {
        // What the folder's handle has left to say.
        guard handle == self.handle else { return .wait }
        switch (self.state, response) {
        case (.describing, .description(let description)): return self.described(description.content)
        case (.choosing(let descriptor, let layout, let held, let toCome), .bitfield(let part)):
            return try self.received(part, descriptor, layout, held, toCome: toCome)
        case (.choosing, .have), (.proving, .have), (.proving, .bitfield), (.describing, .have): return .wait
        case (.proving(let descriptor, let block), .proof(let proof, let nonce)): return .end(self.judge(proof, nonce, descriptor, block))
        case (.proving(_, let block), .proofUnavailable(let refused, let nonce, let reason)) where refused == block && nonce == self.nonce:
            return .end(Self.answer(reason))
        case (.listing(let assembly), .listingPart(let offset, let part)): return try self.received(part, at: offset, of: assembly)
        default: throw TransferError(.protocolViolation, "the peer answered another question")
        }
    }

    private static func answer(_ reason: UnavailableReason) -> PossessionAnswer {
        switch reason {
        case .notHeld: .lacks(.notHeld)
        case .changed: .lacks(.changed)
        case .unreadable: .lacks(.unreadable)
        // A block that is in the file is not in the peer's.
        case .outOfRange: .lacks(.wrongBytes)
        case .busy, .layerUnsupported, .unspecified, .authenticationRequired, .notAuthorized: .refused(reason)
        }
    }

    // MARK: What it is

    private mutating func described(_ content: ContentDescription.Content) -> Step {
        switch content {
        case .file(let size, let root, let chunkLayer):
            let descriptor: FileDescriptor
            let layout: ChunkLayout
            do throws(ContentError) {
                descriptor = try FileDescriptor(size: size, root: root, expecting: self.content)
                layout = try ChunkLayout(fileSize: size, layer: chunkLayer)
            } catch { return .end(.lacks(.wrongBytes)) }
            guard layout.geometry.blockCount > 0 else { return .end(.proven) }
            let partCount = (layout.chunkCount + TransferLimits.maximumBitfieldPartChunkCount - 1) / TransferLimits.maximumBitfieldPartChunkCount
            self.state = .choosing(descriptor, layout, ChunkBitmap(count: layout.chunkCount), toCome: partCount)
            return .wait
        case .folder(let byteCount):
            // A folder in a folder there is none.
            guard !self.isMember, let assembly = ListingAssembly(byteCount: byteCount) else { return .end(.lacks(.wrongBytes)) }
            return .ask(self.askForParts(assembly))
        case .notFound: return .end(.lacks(.notHeld))
        case .refused(let reason): return .end(Self.answer(reason))
        }
    }

    // MARK: A file

    private mutating func received(
        _ part: BitfieldPart, _ descriptor: FileDescriptor, _ layout: ChunkLayout, _ known: ChunkBitmap, toCome: Int
    ) throws(TransferError) -> Step {
        var held = known
        switch part {
        case .complete: held.insert(0..<layout.chunkCount)
        case .part(let first, let bits):
            do throws(ChunkBitmapError) { try held.insert(bytes: bits, at: Int(first)) } catch {
                throw TransferError(.protocolViolation, "the peer's list of chunks is none", cause: error)
            }
        }
        if !held.isComplete, toCome > 1 {
            self.state = .choosing(descriptor, layout, held, toCome: toCome - 1)
            return .wait
        }
        guard held.setCount > 0 else { return .end(.lacks(.notHeld)) }
        let rank = Int.random(in: 0..<held.setCount, using: &self.generator)
        guard let chunk = held.held(rank: rank), let blocks = layout.blockCount(of: ChunkIndex(UInt32(clamping: chunk))), blocks > 0 else {
            return .end(.lacks(.wrongBytes))
        }
        let block = chunk << layout.layer + Int.random(in: 0..<blocks, using: &self.generator)
        self.state = .proving(descriptor, block: block)
        return .ask([self.ask(.prove(block: block, nonce: self.nonce))])
    }

    private func judge(_ proof: BlockProof, _ nonce: [UInt8], _ descriptor: FileDescriptor, _ block: Int) -> PossessionAnswer {
        guard proof.block == block, nonce == self.nonce else { return .lacks(.wrongBytes) }
        do throws(ContentError) { try proof.verify(against: descriptor) } catch { return .lacks(.wrongBytes) }
        return .proven
    }

    // MARK: A folder

    private mutating func askForParts(_ assembly: ListingAssembly) -> [TransferAsk] {
        var assembly = assembly
        var asks: [TransferAsk] = []
        while let request = assembly.nextRequest() { asks.append(self.ask(request)) }
        self.state = .listing(assembly)
        return asks
    }

    private mutating func received(_ part: [UInt8], at offset: UInt64, of known: ListingAssembly) throws(TransferError) -> Step {
        // What it says to a part that it no longer has.
        guard !part.isEmpty else { return .end(.lacks(.notHeld)) }
        var assembly = known
        try assembly.received(part, at: offset)
        guard assembly.isComplete else {
            let asks = self.askForParts(assembly)
            return asks.isEmpty ? .wait : .ask(asks)
        }
        let listing: FolderListing
        do throws(ContentError) { listing = try FolderListing(decoding: assembly.bytes, expecting: self.content) } catch { return .end(.lacks(.wrongBytes)) }
        guard let entry = listing.entries.randomElement(using: &self.generator) else { return .end(.proven) }
        self.content = entry.descriptor.contentHash
        self.isMember = true
        self.handle += 1
        self.state = .describing
        return .ask(self.begin())
    }
}
