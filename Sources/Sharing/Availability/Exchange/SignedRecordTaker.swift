public import DIGContent

/// Who looks at the records that an ``AvailabilityExchange`` receives, and knows what to answer.
public protocol SignedRecordTaker: AnyObject, Sendable {
    /// Checks and takes a record, or refuses it.
    func received(_ form: SignedRecord.Form) throws(AvailabilityError)
    /// The signed records about a content, the latest first.
    func records(about content: ContentHash?, limit: Int) async throws -> [SignedRecord]
}

extension ContentAvailabilityManager: SignedRecordTaker {}
