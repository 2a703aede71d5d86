/// Says who may write what below some souls, so that what peers sign can't be forged, replayed or deleted by others.
///
/// Other implementations know nothing of it and store everything; what comes from them is checked like everything else.
public struct GunGuard: Sendable {
    /// Of the souls.
    public var prefix: String
    /// Whether `entry` may be written to `key` of `soul`, given `now` in milliseconds since 1970. Asked before each write that would win.
    public var admits: @Sendable (_ soul: ExactText, _ key: ExactText, _ entry: GunEntry, _ now: Double) -> Bool

    public init(prefix: String, admits: @escaping @Sendable (ExactText, ExactText, GunEntry, Double) -> Bool) {
        self.prefix = prefix
        self.admits = admits
    }
}
