package import DIGAnnouncement

/// An announcement whose signature, signer and time were found right, and what became of it.
package struct HeardAnnouncement: Hashable, Sendable {
    package let announcement: ContentAnnouncement
    /// Why it changes nothing in what is known of the holder: `.replayed` if it was known, `.noRoom` or `.quotaExceeded`. Nil: it was taken.
    package let refusal: AvailabilityError?
}
