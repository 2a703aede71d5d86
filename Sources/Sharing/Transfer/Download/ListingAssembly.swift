import DIGContent

/// The encoded listing of a folder, asked for in parts and put together.
///
/// A few parts are under way at a time. They come in their order; what comes is not checked against the hash here.
struct ListingAssembly: Hashable, Sendable {
    /// Parts asked for at once.
    static let pipelinedPartCount = 4

    private let byteCount: Int
    private var askedByteCount = 0
    /// What has come.
    private(set) var bytes: [UInt8] = []

    /// - Parameter byteCount: As the peer says. Nil if no listing has so many: 1 to ``FolderListing/maximumByteCount``.
    init?(byteCount: UInt64) {
        guard byteCount > 0, byteCount <= UInt64(FolderListing.maximumByteCount) else { return nil }
        self.byteCount = Int(byteCount)
    }

    var isComplete: Bool { self.bytes.count == self.byteCount }

    /// What to ask for now. Nil once everything is asked for, or enough is under way; call again after a part has come.
    mutating func nextRequest() -> TransferRequest? {
        guard self.askedByteCount < self.byteCount,
            self.askedByteCount - self.bytes.count < Self.pipelinedPartCount * TransferLimits.maximumListingPartByteCount
        else { return nil }
        let count = min(TransferLimits.maximumListingPartByteCount, self.byteCount - self.askedByteCount)
        defer { self.askedByteCount += count }
        return .getListing(offset: UInt64(self.askedByteCount), byteCount: count)
    }

    /// A part came.
    ///
    /// - Throws: ``TransferError`` with `.protocolViolation` if it is not the next one that was asked for, whole.
    mutating func received(_ part: [UInt8], at offset: UInt64) throws(TransferError) {
        let expected = min(TransferLimits.maximumListingPartByteCount, self.byteCount - self.bytes.count)
        guard offset == UInt64(self.bytes.count), part.count == expected, self.bytes.count < self.askedByteCount else {
            throw TransferError(.protocolViolation, "the peer sent a part of the listing that was not asked for")
        }
        self.bytes += part
    }
}
