/* Rust's standard library takes random bytes from bcryptprimitives.dll, which Wine 8 does not have:
 * without it every Rust program ends with exit code 53 before main, and says nothing. This is that
 * DLL with its one function, ProcessPrng, on top of RtlGenRandom (SystemFunction036 in advapi32).
 * `cargo xtask setup windows` builds it and puts it into the system directory of Wine's prefix. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length > 0) {
        /* RtlGenRandom counts in 32 bits. */
        ULONG part = length > 0x100000 ? 0x100000 : (ULONG)length;
        if (!SystemFunction036(data, part))
            return FALSE;
        data += part;
        length -= part;
    }
    return TRUE;
}
