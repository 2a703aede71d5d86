import CDIGAllocator

/// How this process asks for memory; see `CDIGAllocator.h` for what was measured.
enum Allocator {
    private static let trimThreshold: Int32 = 8 << 20
    private static let mmapThreshold: Int32 = 4 << 20

    /// Before anything else. Where the C library is not glibc this changes nothing, and nothing depends on it.
    static func tune() {
        _ = dig_allocator_keep_freed(self.trimThreshold, self.mmapThreshold)
    }
}
